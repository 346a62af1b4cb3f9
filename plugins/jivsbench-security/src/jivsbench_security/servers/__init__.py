"""Servers of the checks' own, on the loopback interface: impostors, servers that tell secrets, and places nobody may visit."""
