"""The outbox relay: rows the functions wrote with their changes become Kafka records, in order, none lost."""
