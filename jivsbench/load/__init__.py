"""Offers load to running targets and records what came of it. Parent code; only `load.worker` knows locust and gevent."""
