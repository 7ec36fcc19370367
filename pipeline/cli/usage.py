"""What the command line says of itself: its help in groups, and one line about a command that was mistyped."""

import argparse
import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn


class Once(argparse.Action):
    """Keeps the file that an option names, and refuses a second one: only one would be read, without a word."""

    before: Any = None

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        if option_string and self.before not in (None, values):
            raise argparse.ArgumentError(self, f"is given twice, as {self.before} and as {values}; give it once")
        self.before = values
        setattr(namespace, self.dest, values)


class Parser(argparse.ArgumentParser):
    """Reports wrong usage in one line, and lists commands in groups.

    Attributes:
        groups: Titles, and the commands below each; none for the parser of one command.
    """

    groups: Mapping[str, Sequence[str]] = {}

    def parse(self, argv: Sequence[str]) -> argparse.Namespace:
        """As `parse_args`, but what is left over is reported by the command it was given to."""
        if argv and argv[0].startswith("-") and not re.match(r"-(h|-h|-v)", argv[0]):
            self.error(f"the command comes before {argv[0]}, as in `{self.prog} run {argv[0]} …`")
        args, left = self.parse_known_args(argv)
        if left:
            command = self.commands()[args.command]
            command.error(_left_over(left[0].partition("=")[0], command))
        return args

    def commands(self) -> dict[str, "Parser"]:
        return next((one.choices for one in self._actions if isinstance(one.choices, dict)), {})

    def error(self, message: str) -> NoReturn:
        said = _plainly(message, self)
        self.exit(2, f"{self.prog}: {said}{' See' if said.endswith('?') else '; see'} `{self.prog} --help`\n")

    def format_help(self) -> str:
        if not self.groups:
            return super().format_help()
        lines = next(one for one in self._actions if isinstance(one.choices, dict))._get_subactions()  # type: ignore[attr-defined]
        listed: dict[str, Any] = {line.dest: line for line in lines}
        formatter = self._get_formatter()
        formatter.add_usage(self.usage, self._actions, self._mutually_exclusive_groups)
        formatter.add_text(self.description)
        for title, names in self.groups.items():
            formatter.start_section(title)
            formatter.add_arguments([listed[name] for name in names])
            formatter.end_section()
        formatter.start_section("options")
        formatter.add_arguments([action for action in self._actions if action.option_strings])
        formatter.end_section()
        return formatter.format_help()


def _plainly(message: str, parser: Parser) -> str:
    """What argparse says of a choice or of something missing, in our words."""
    choice = re.fullmatch(r"argument (\S+(?: FILE)?): invalid choice: '(.*)' \(choose from (.*)\)", message, re.DOTALL)
    if not choice:
        return message.replace("the following arguments are required:", "missing:")
    place, given, listed = choice.groups()
    names = [name.strip("'") for name in listed.split(", ")]
    if place == "check FILE":
        return f"say what to do, as in `{parser.prog} {names[0]} {given}`"
    if place != "COMMAND":
        return f"{place}: {given!r} is not one of {', '.join(names)}"
    if command := next((name for name, one in parser.commands().items() if f"--{given}" in _options(one)), None):
        return f"there is no command {given!r}, but an option, as in `{parser.prog} {command} --{given}`"
    close = difflib.get_close_matches(given, names, 1)
    return f"there is no command {given!r}{f'; did you mean {close[0]}?' if close else ''}"


def _options(parser: Parser) -> list[str]:
    return [option for action in parser._actions for option in action.option_strings]


def _left_over(given: str, parser: Parser) -> str:
    said = f"unrecognized argument: {given}"
    if not given.startswith("-"):
        return said
    known = _options(parser)
    meant = difflib.get_close_matches(given, known, 1, cutoff=0.75)
    if not meant and "--set" in known:
        from pipeline.settings.places import places

        meant = [f"--set {place}=…" for place in places(given.strip("-").replace("-", "_"))]
    return f"{said}; did you mean {' or '.join(meant[:3])}?" if meant else said
