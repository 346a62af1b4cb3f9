"""The load child, run as `python -m jivsbench.load.worker`: Locust's users, our clocks.

The only code that imports locust, gevent and geventhttpclient. Nothing else imports this package.
"""
