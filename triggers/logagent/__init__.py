"""The log agent: lines of the functions' log files become Kafka records, each acknowledged before it is passed."""
