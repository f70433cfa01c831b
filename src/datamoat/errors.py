"""Every failure raised on purpose: what happened, where to look, what to do next."""


class DatamoatError(Exception):
    """Base of every failure raised on purpose.

    Attributes:
        what: What happened, with the values that matter.
        where: The file, URL or table to open first.
        fix: The next step, as an order.
    """

    exit_code = 1

    def __init__(self, what: str, where: str, fix: str) -> None:
        """Keep the three parts apart; plain positional arguments, so that the error pickles."""
        self.what, self.where, self.fix = what, where, fix
        super().__init__(what, where, fix)

    def __str__(self) -> str:
        """Return the three lines a person reads."""
        return f"{self.what}\n  where: {self.where}\n  fix:   {self.fix}"


class UsageError(DatamoatError):
    """The command was called with something it cannot take."""

    exit_code = 2


class ContentError(DatamoatError):
    """A file of the content tree is malformed."""


class BusyError(DatamoatError):
    """Another process is writing."""


class SourceUnavailableError(DatamoatError):
    """The publisher did not answer; the same call may work later."""


class StoreUnavailableError(DatamoatError):
    """The store that several hosts share cannot be used; the same call may work later."""


class SourceChangedError(DatamoatError):
    """The publisher answered with something we do not understand; a person must look."""


class ModelFailedError(DatamoatError):
    """A model did not run, or yielded something other than it promised."""


class AuditFailedError(DatamoatError):
    """A critical check of the data failed; nothing was published."""


class PublishRefusedError(DatamoatError):
    """The build may not be published, or could not be written."""


class NoRoomError(PublishRefusedError):
    """The disk has less free space than a build needs; nothing was written."""
