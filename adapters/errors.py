"""What can go wrong inside an adapter: the delivery is not trusted, or it cannot be read.

AdapterError
├── NotTrusted            answered 401, nothing is stored
│   ├── SignatureMissing
│   └── SignatureInvalid
└── MalformedPayload      stored, answered 200, parked with its path
"""


class AdapterError(Exception):
    """Anything an adapter says about one delivery."""


class NotTrusted(AdapterError):
    """The delivery cannot be shown to come from the provider; a retry of it cannot help."""


class SignatureMissing(NotTrusted):
    """The delivery carries no signature header."""


class SignatureInvalid(NotTrusted):
    """The delivery carries a signature, and this secret did not make it."""


class MalformedPayload(AdapterError):
    """A trusted payload lacks something without which no order can be right.

    path: where in the JSON, in the form `$.line_items[0].price`.
    problem: what is wrong there, without the value, which may be personal.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem
