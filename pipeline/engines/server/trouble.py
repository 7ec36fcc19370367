"""What goes wrong with one request, and whether another try is of use."""

import re

from pipeline.text import short

BUSY = {429, 498, 503, 529}  # it has too much to do, which says nothing of the request; 498 Groq, 529 Anthropic
LATE = {408, 504, 524}  # 524 is Cloudflare's
BROKEN_OFF = {424, 460, 499}  # what it depends on failed, TGI's model among it; whoever asked is said to have hung up
PASSING = BUSY | LATE | BROKEN_OFF | {409, 423, 425}  # and what is not 4xx: worth another try
MOVED = {301, 302, 303, 307, 308}
UNTRUSTED = 495  # nginx: TLS found no certificate to trust
HOPELESS = {401, 402, 403, 404, 405, 407, UNTRUSTED} | MOVED  # no other request would fare better
MISSING = {404, 405, 501}  # there is no such path, or no such model
MAYBE_LOADING = {400, 404, 405, 409, 422, 424, 500, 501, 502}
LOADING = re.compile(  # the model will be there soon, whatever the status says
    r"\b(?:model|engine|deployment|server|endpoint|replica|worker|instance|service|it)\b[^.;!?]{0,80}?(?:"
    r"\b(?:is|are|being|currently|still|now)\s+(?:(?:currently|still|now|busy|in the process of)\s+)*"
    r"(?:(?:re|down)?loading|pulling|starting|warming|initiali[sz]ing|launching|building|deploying|provisioning|scaling"
    r"|spinning|booting|cold[- ]starting)\b"
    r"|\bbeing\s+(?:(?:re|down)?loaded|pulled|started|warmed|initiali[sz]ed|launched|built|deployed|provisioned)\b"
    r"|(?:\bnot|n't)(?: yet)? ready\b)"
    r"|^(?:down)?loading (?:the )?model\b",
    re.IGNORECASE,
)
REFUSALS_OF_500 = re.compile(  # what some servers answer with status 500, though the request is at fault
    r"exceed\w*[^.]{0,60}(?:context|tokens?\b|length)|context[^.]{0,30}exceed|maximum context|too long|chat template"
    r"|(?:un|not |n't )support|guided[_ ]?decod|\bx?grammar\b|response_format",
    re.IGNORECASE,
)


class Trouble(Exception):
    """An answer that is no completion, or no answer.

    Args:
        kind: How it is counted in the log, the noun first: "answer 429".
        message: What the server says, without the key.
        status: Of HTTP, or what the body says in its place; 0 without any.
        wait: Seconds the server asks to wait.
        params: The parameters that the answer names as the cause, in a field of their own.

    Attributes:
        path: What was asked for, of the url; for whoever knows it to fill in.
        hint: What may be behind it and what to do, if that is known; follows the message.
    """

    def __init__(
        self, kind: str, message: str, status: int = 0, wait: float = 0.0, params: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message)
        self.kind, self.message, self.status, self.wait, self.params = kind, message, status, wait, params
        self.path = self.hint = ""

    def __str__(self) -> str:
        return short(self.message) + self.hint

    def copy(self) -> "Trouble":
        """The same for another request: a raised exception remembers where it has been."""
        copy = Trouble(self.kind, self.message, self.status, self.wait, self.params)
        copy.path, copy.hint = self.path, self.hint
        return copy

    @property
    def refused(self) -> bool:
        """Whether this request can never succeed, while others can."""
        if self.status in (500, 501):
            return bool(REFUSALS_OF_500.search(self.message))
        return 400 <= self.status < 500 and self.status not in PASSING | HOPELESS

    @property
    def hopeless(self) -> bool:
        return self.status in HOPELESS

    @property
    def missing(self) -> bool:
        return self.status in MISSING

    @property
    def busy(self) -> bool:
        return self.status in BUSY

    @property
    def crowded(self) -> bool:
        """Whether it is a sign that fewer requests should be in flight."""
        return self.busy or self.status in LATE or self.kind in ("time-out", "shortage of files")

    @property
    def unreadable(self) -> bool:
        return self.kind == "answer unreadable"

    @property
    def broken_off(self) -> bool:
        """Whether there was an answer as it should be, but no whole text in it."""
        return self.kind in ("answer aborted", "answer empty")
