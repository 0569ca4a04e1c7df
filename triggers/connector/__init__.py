"""The Kafka connector: records of a function's topics become calls of the function, at least once and in order per key."""
