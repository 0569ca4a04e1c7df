"""What can go wrong in the broker, and who can put it right.

BrokerError            the operator: the process cannot start or go on; one sentence, exit code 1
├── DataFolderError    another broker uses the folder, or it cannot be written
└── CorruptLogError    a file of the log is damaged where no crash can have damaged it
ApiError               the client: answered with a Kafka error code
"""

from __future__ import annotations

from enum import IntEnum


class BrokerError(Exception):
    """The broker cannot run; the text is one sentence with the cause and the remedy."""


class DataFolderError(BrokerError):
    """The data folder is in use or cannot be used."""


class CorruptLogError(BrokerError):
    """Stored bytes are damaged although they were synced; starting anyway would lose records silently."""


class ErrorCode(IntEnum):
    """Error codes of the Kafka protocol that this broker answers with."""

    UNKNOWN_SERVER_ERROR = -1
    NONE = 0
    OFFSET_OUT_OF_RANGE = 1
    CORRUPT_MESSAGE = 2
    UNKNOWN_TOPIC_OR_PARTITION = 3
    REQUEST_TIMED_OUT = 7
    MESSAGE_TOO_LARGE = 10
    OFFSET_METADATA_TOO_LARGE = 12
    INVALID_TOPIC = 17
    INVALID_REQUIRED_ACKS = 21
    ILLEGAL_GENERATION = 22
    INCONSISTENT_GROUP_PROTOCOL = 23
    INVALID_GROUP_ID = 24
    UNKNOWN_MEMBER_ID = 25
    INVALID_SESSION_TIMEOUT = 26
    REBALANCE_IN_PROGRESS = 27
    UNSUPPORTED_VERSION = 35
    TOPIC_ALREADY_EXISTS = 36
    INVALID_PARTITIONS = 37
    INVALID_REPLICATION_FACTOR = 38
    INVALID_REPLICA_ASSIGNMENT = 39
    INVALID_CONFIG = 40
    INVALID_REQUEST = 42
    UNSUPPORTED_FOR_MESSAGE_FORMAT = 43
    OUT_OF_ORDER_SEQUENCE_NUMBER = 45
    INVALID_PRODUCER_EPOCH = 47
    KAFKA_STORAGE_ERROR = 56
    NON_EMPTY_GROUP = 68
    GROUP_ID_NOT_FOUND = 69
    FETCH_SESSION_ID_NOT_FOUND = 70
    MEMBER_ID_REQUIRED = 79
    FENCED_INSTANCE_ID = 82
    GROUP_SUBSCRIBED_TO_TOPIC = 86
    INVALID_RECORD = 87


class ApiError(Exception):
    """A request, or one partition of it, is refused. ``code`` goes on the wire, the text where the API has room for it."""

    def __init__(self, code: ErrorCode, text: str = "") -> None:
        super().__init__(text or code.name)
        self.code = code
