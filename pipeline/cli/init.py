"""`sprout init`: a first settings file, from options or from answers to questions."""

import argparse
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.errors import SproutError
from pipeline.text import first_few, one_line

if TYPE_CHECKING:
    from pipeline.settings.start import Start
    from pipeline.task import Task

NUM_TASKS = 200
PATIENCE = 3.0  # seconds to wait for a server that does not answer
FILE = "my.toml"
EXAMPLE = "http://127.0.0.1:8000/v1"
T = TypeVar("T")


def init(args: argparse.Namespace) -> str:
    """Write a settings file, and say what was found on the way and what to do next.

    Raises:
        SproutError: for an option that is missing where nobody can be asked, for seeds that cannot be used, a model
            that cannot be asked, and a file that is there already.
    """
    from pipeline.settings.start import Start, as_file

    asked = Questions(sys.stdin.isatty())
    path = place(args.place)
    see_that_it_is_free(path, args.replace, asked)
    if missing := [] if asked.terminal else [*missing_options(args)]:
        raise SproutError(
            f"init: {' and '.join(missing)} missing; give what is missing, or run it in a terminal, where it asks"
        )
    if args.url:
        url_of(args.url)
    seeds, tasks = asked.ask(args.seeds, "Your seeds, a file of examples", read_and_check)
    found = find_model(args, asked)
    domain = asked.ask(args.domain, "What are the tasks about? A few words, or nothing", one_line, "")
    num_tasks = asked.ask(args.num_tasks, f"How many tasks? [{NUM_TASKS}]", number, NUM_TASKS)
    start = Start(seeds, free(out_of(path)), found.engine, domain, num_tasks, found.about)
    write(path, as_file(start, str(path)))
    notes = [f"model: {found.engine['model']} is {found.about}", *too_long(start, tasks, found.context)]
    steps = [["preview", str(path)], ["run", str(path)], ["show", start.out]]
    listed = "\n".join(f"  {shlex.join(['sprout', *step])}" for step in steps)
    return "\n\n".join(["\n".join(notes), f"{path} is written. Next:\n{listed}"])


@dataclass(frozen=True)
class Questions:
    """Where answers come from: the options, and, in a terminal, the person at it."""

    terminal: bool

    def ask(self, given: T | None, question: str, read: Callable[[Any], Any], default: Any = None) -> Any:
        """What `read` makes of the option, of an answer, or the default; after an answer that it refuses, ask again."""
        if given is not None:
            return read(given)
        if not self.terminal:
            return default
        while True:
            answer = self.answer(question)
            if not answer and default is not None:
                return default
            try:
                return read(answer)
            except SproutError as error:
                print(error, file=sys.stderr)  # noqa: T201

    def answer(self, question: str) -> str:
        try:
            return input(f"{question}: ").strip()
        except EOFError:
            raise SproutError("init: the input ended before all questions were answered; nothing was written") from None


@dataclass(frozen=True)
class FoundModel:
    """A model that answers."""

    engine: dict[str, Any]  # its table
    about: str
    context: int | None


def place(given: str | None) -> Path:
    path = Path(given or ".")
    return path if path.suffix == ".toml" else path / FILE


def see_that_it_is_free(path: Path, replace: bool, asked: Questions) -> None:
    if replace or not path.exists():
        return
    if not asked.terminal or asked.answer(f"{path} exists. Replace it? [no]").casefold() not in ("y", "yes"):
        raise SproutError(f"{path}: already exists; name another file, or replace it with --replace")


def missing_options(args: argparse.Namespace) -> Iterator[str]:
    model = args.url or args.model
    if not args.seeds:
        yield f"--seeds{'' if model else ', and --url or --model,'} {'is' if model else 'are'}"
    elif not model:
        yield "--url or --model is"


def read_and_check(seeds: str) -> "tuple[str, list[Task]]":
    """Say what `sprout seeds check` would."""
    from pipeline.report.seed_check import check
    from pipeline.report.seed_text import show
    from pipeline.seeds.read import load_seeds

    if not seeds:
        raise SproutError("a file of examples is needed, such as a CSV file with columns instruction, input, output")
    print(show(check(seeds)), end="\n\n")  # noqa: T201
    return seeds, load_seeds(seeds).tasks


def find_model(args: argparse.Namespace, asked: Questions) -> FoundModel:
    from pipeline.engines.server.models import models_of

    url = args.url
    if not url and not args.model:
        url = asked.ask(None, f"The url of a server, such as {EXAMPLE}, or nothing to load a model here", url_of, "")
    name, question = args.model, "The model: a folder, a name on the hub, or nano"
    if url and not name:
        names = [*models_of(url_of(url))]
        listed = ", ".join(names[:8])
        question = f"The model on that server ({listed})" if names else "The model on that server"
        name = names[0] if len(names) == 1 else None
        if not name and not asked.terminal:
            said = f"serves {listed}; name one of them" if names else "does not list its models; name one"
            raise SproutError(f"{url}: {said} with --model")
    found: FoundModel = asked.ask(name, question, lambda given: on_server(given, url) if url else here(given))
    return found


def url_of(url: str) -> str:
    from pipeline.engines.server.address import check_url

    check_url(url)
    return url


def on_server(name: str, url: str) -> FoundModel:
    """Ask the server for a few tokens, and what it tells of the model."""
    from pipeline.engines.server import Server
    from pipeline.engines.server.models import models_of

    if not name:
        raise SproutError("a model is needed, by the name that the server gives it")
    server = Server(name, url, patience=PATIENCE)
    try:
        chat, served = server.chat, models_of(url)
        context = served.get(server.model)
    finally:
        server.close()
    about = described(chat, context)
    if served and server.model not in served:
        about = f"{about}; the server does not list it, but lists {first_few([*served])}"
    return FoundModel({"name": "server", "model": server.model, "url": url}, about, context)


def here(model: str) -> FoundModel:
    """A model to be loaded in this process, which is looked at and not loaded yet."""
    from pipeline.engines.model_folder import context_of
    from pipeline.settings.build import open_engine
    from pipeline.settings.read import RunSettings

    if not model:
        raise SproutError("a model is needed; nano is one that ships with Sprout, to try it")
    name = next((one for one in ("vllm", "transformers") if find_spec(one)), "")
    if not name:
        raise SproutError(
            "neither vllm nor transformers is installed, to load a model here; give the --url of a server"
        )
    engine = open_engine(RunSettings(engine={"name": name, "model": model}))
    context = context_of(engine.model)
    return FoundModel({"name": name, "model": model}, described(engine.chat, context), context)


def described(chat: bool, context: int | None) -> str:
    size = f"with a context of {context:,} tokens" if context else "; the length of its context is not known"
    return f"a {'chat' if chat else 'base'} model{' ' if context else ''}{size}"


def number(given: int | str) -> int:
    try:
        value = int(str(given).replace("_", "").replace(",", ""))
    except ValueError:
        value = 0
    if value <= 0:
        raise SproutError(f"{given!r} is not a number above 0")
    return value


def out_of(path: Path) -> str:
    """The folder of the run, after that of the settings file or its name."""
    name = path.parent.resolve().name if path.name == FILE and path.parent != Path() else path.stem
    return f"outputs/{'mine' if path == Path(FILE) else name}"


def free(out: str) -> str:
    """That folder, or one with a number behind it if a run is there already."""
    names = (out if n == 1 else f"{out}-{n}" for n in range(1, 10_000))
    return next(name for name in names if not Path(name).exists())


def too_long(start: "Start", tasks: "Sequence[Task]", context: int | None) -> Iterator[str]:
    """What does not fit into the context of the model."""
    from pipeline.report.seed_check import prompt_sizes
    from pipeline.settings.build import build_stages
    from pipeline.settings.start import settings_of
    from pipeline.stage import Stage

    stages = [stage for stage in build_stages(settings_of(start)) if isinstance(stage, Stage)]
    for kind, size in prompt_sizes(tasks, stages) if context else ():
        if context and (needed := size.prompt + size.completion) > context:
            yield (
                f"a prompt of {kind} takes about {needed:,} tokens with its answer, more than that; lower "
                f"{size.shortened_by} or its sampling.max_tokens"
            )


def write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise SproutError(f"{path}: cannot be written ({error.strerror}); name another file") from None
