"""What the page shows, as values: every number is text already, every place is computed. Templates only lay them out."""
