"""What can go wrong inside an adapter: not trusted, not readable, or not to be looked up.

AdapterError
├── NotTrusted            answered 401, nothing is stored
│   ├── SignatureMissing
│   └── SignatureInvalid
├── MalformedPayload      stored, answered 200, parked with its path
└── LookUpFailed          the provider's API gave no answer to build on
    ├── TryAgain          retried
    └── KeyRefused        retried once the operator has mended the key; pauses the account
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


class LookupFailed(AdapterError):
    """The provider's API refused a look-up; of its own class, asking again cannot help.

    The text is the operator's words: never the key, an email or what the provider quoted.
    """


class TryAgain(LookupFailed):
    """The provider or the way there is in trouble; the same look-up may succeed later.

    retry_after: seconds that the provider asks to wait, as it said them and so without a limit;
        None where it says nothing.
    """

    def __init__(self, words: str, retry_after: float | None = None) -> None:
        super().__init__(words)
        self.retry_after = retry_after


class KeyRefused(LookupFailed):
    """The provider does not let this key in, or not there: each look-up will end the same way.

    only_this: a permission is missing, so that look-ups of other kinds may well be answered.
    """

    def __init__(self, words: str, *, only_this: bool = False) -> None:
        super().__init__(words)
        self.only_this = only_this
