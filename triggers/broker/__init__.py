"""The embedded broker: one node that speaks the Kafka protocol and keeps its log on this machine."""
