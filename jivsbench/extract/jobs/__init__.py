"""The job store: jobs, their statistics and logs, and the data sources that were added while the service runs.

The only place that knows SQLAlchemy. Everything that leaves it is a frozen value of `values`, never a row or a session.
"""
