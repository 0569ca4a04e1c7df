"""Keeps the components of one instance running; knows processes, locks and logs, and nothing of the product.

What should run is a file, ``run/plan.json`` (:mod:`genie.supervisor.plan`): present means wanted, removed means down.
What does run is asked of the lock files (:mod:`genie.supervisor.locks`). Nothing else is remembered, so that any process
of this package may be killed at any line.
"""
