"""Every function that takes text which others wrote, and how to give it one.

`TAKERS` names each with a function that feeds it a text. `REASONS` says of the others that have a
parameter for text why none of it needs to be hostile, or what bounds them; a pattern stands for
many, but where what servers, pages and models write is read or drawn, each stands for itself.
`collect` finds all there are, so that a new one is in neither and the test fails.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import recordings

ROOT = Path(recordings.__file__).parents[1]
_TEXT = re.compile(r"\b(str|bytes|bytearray)\b")

Take = Callable[[str], object]


def collect() -> Iterator[str]:
    """Yield `package.module:function` of all public functions with a parameter for text."""
    for package in ("recordings", "sandbox", "tools", "sii_cli"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if "workspace" not in path.relative_to(ROOT).parts[:-1]:
                module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
                for name in _functions(ast.parse(path.read_text("utf-8"))):
                    yield f"{module}:{name}"


def _functions(node: ast.Module | ast.ClassDef, within: str = "") -> Iterator[str]:
    for one in node.body:
        if isinstance(one, ast.ClassDef) and not one.name.startswith("_"):
            yield from _functions(one, f"{one.name}.")
        elif isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = [*one.args.posonlyargs, *one.args.args, *one.args.kwonlyargs]
            annotations = [ast.unparse(arg.annotation) for arg in arguments if arg.annotation]
            if not one.name.startswith("_") and any(map(_TEXT.search, annotations)):
                yield within + one.name


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape" if text.isascii() else "surrogatepass")


def _decoded(text: str) -> str:
    """Text as it is read from a file or from JSON: half a character is a byte that is not text."""
    return text.replace("\ud800", "\udc80")


def _recorded(text: str) -> str:
    """Text as a recording has it: without half characters."""
    return text.encode("utf-8", "replace").decode()


def _pieces(text: str, size: int = 16) -> Iterator[str]:
    return (text[at : at + size] for at in range(0, len(text), size))


def _secrets(text: str) -> None:
    from recordings.redaction.secrets import SecretFinder, mask

    for depth in ("names", "entropy"):
        mask(text, SecretFinder({"TOKEN": "a" * 12 + "b"}, depth).find(text))


def _begins_secret(text: str) -> None:
    from recordings.redaction.secrets import begins_secret

    begins_secret(text)


def _redactor(text: str) -> None:
    from recordings.events import Observation
    from recordings.redaction.redactor import Redactor
    from recordings.redaction.secrets import SecretFinder

    redactor = Redactor(SecretFinder({"TOKEN": "a" * 12 + "b"}))
    redactor.bytes(_bytes(text))
    details = {"diff": text, "names": [text], "deep": {text[:9]: text}}
    observation = Observation(
        step=1, call_id="a", name="bash", text=text, seconds=0.0, details=details
    )
    redactor.data(observation)


def _search(text: str) -> None:
    from recordings.index.find import _snippet
    from recordings.index.schema import calls_text, spaced, texts_of

    _snippet(text, ["a b", "word"])
    spaced(text)
    list(texts_of("observation", {"text": text}))
    calls_text([{"name": "bash", "arguments": text}])


def _lines(text: str) -> None:
    from recordings.errors import RecordingError
    from recordings.storage.encoding import encode
    from recordings.storage.lines import check_line, follows, parse_line, read_head

    for line in (_bytes(text), encode({"v": 1, "type": text})):
        check_line(line)
        follows(line, "0" * 64)
        with suppress(RecordingError):
            read_head(line)
        with suppress(RecordingError):
            parse_line(line)


def _sample_arguments(text: str) -> None:
    from recordings.samples.arguments import parse_arguments

    for arguments in (text, f'{{"a": {text}}}', '{"a": "' + text.replace('"', "") + '"}'):
        parse_arguments(arguments)


def _timeline(text: str) -> None:
    from recordings.events import Event, ModelDelta
    from recordings.replay.items import replay_items

    pieces = [(i, 1) for i in range(len(text))]
    delta = ModelDelta(step=1, kind="content", index=0, text=text, pieces=pieces)
    event = Event("s", 0, 0.0, 0.0, "model", delta)
    for _ in replay_items([event]):
        pass


def _first_screen(text: str) -> None:
    from recordings.replay.first_screen import is_test

    is_test(text)


def _failing_output(text: str) -> None:
    from recordings.storage.failing_output import shows_failure
    from recordings.storage.line_index import _marks

    head = b'{"type":"observation","data":{"name":"bash","text":"'
    shows_failure(head + _bytes(text))
    _marks("observation", head + _bytes(text))


def _text_diff(text: str) -> None:
    from sandbox.snapshots.text_diff import line_counts, quoted, unified_diff

    half = text[len(text) // 2 :]
    line_counts(text, half)
    unified_diff(half, text + "\n" + half[::-1], "a")
    unified_diff(text, text[::-1], quoted(text[:4096]))


def _tool_diff(text: str) -> None:
    from tools.diff import unified_diff

    text = _decoded(text)
    half = text[len(text) // 2 :]
    unified_diff("a", [(0, text, half), (1, half[::-1], text[::-1])])


def _nearest(text: str) -> None:
    from tools.nearest import diagnose_miss

    diagnose_miss(text, text[: len(text) // 2] + "\nnever")
    diagnose_miss("never\n" + text[::-1], text[1:] + "never")


def _edit_file(text: str) -> None:
    from tools.base import ToolError
    from tools.edit_file import EditFileParams, _diff, _find_all
    from tools.text import TextFile

    text = text.replace("\ud800", "é")  # arguments hold no half characters
    half = text[: len(text) // 2] or "a"
    for old in ("\n" * (len(text) // 50 + 1), half, half + "never\n", "a"):
        for newline in ("\n", "\r\n"):
            content = TextFile(text, newline=newline, mixed=True)
            edits = [{"old": old, "new": "b\n", "replace_all": True}]
            params = EditFileParams.model_validate({"path": "a", "edits": edits})
            with suppress(ToolError):
                _diff("a", text, _find_all(params, content))


def _tool_text(text: str) -> None:
    from tools.text import count_lines, decode_text, displayed, lines_from

    content = decode_text(_bytes(text))
    if content is not None:
        content.encode(content.text)
    count_lines(text)
    list(lines_from(text, 10))
    if text.isprintable():
        displayed(text)


def _documents(text: str) -> None:
    from tools.documents import kind_of, named_like_document
    from tools.web.html_versions import html_version

    named_like_document(text)
    kind_of(text, _bytes(text), text)
    html_version(text)
    html_version(f"https://arxiv.org/abs/{text}")


def _plain_line(text: str) -> None:
    from sii_cli.agent.plain_lines import is_plain

    is_plain(text)
    is_plain(f"'{text}'")
    is_plain(f'"{text}"')


def _tool_output(text: str) -> None:
    from sandbox.protocol import CommandResult
    from tools.command_text import command_result
    from tools.filetypes import describe_binary
    from tools.output import shape, show, show_line

    raw = _bytes(text)
    shape(raw)
    shape(raw, dropped=5, dropped_at=len(raw) // 2)
    show(raw)
    show_line(raw)
    describe_binary(raw)
    describe_binary(b"\xff\xd8" + raw)
    result = CommandResult(raw, exit_code=1, seconds=1.0)
    command_result(result, "shell")


def _output_pieces(text: str) -> None:
    from sii_cli.agent.output_pieces import OutputPieces

    for raw in (_bytes(text), _bytes(text) + b"\xff" * len(text)):
        shown = OutputPieces("a", lambda piece: None)
        for at in range(0, len(raw), 16):
            shown.add(raw[at : at + 16])
        OutputPieces("a", lambda piece: None).add(raw)


def _grep(text: str) -> None:
    from tools.grep import _counts, _Hits, _lines, _read, _result
    from tools.ripgrep import SearchOutput, from_workspace

    raw = _bytes(text)
    for output in (raw + b"\n", b"path\0" + raw.replace(b"\n", b"\npath\0") + b"\n"):
        found = SearchOutput(output, frozenset({b"path"}))
        hits = _read(found)
        rows, matches = _lines(hits) if hits.files else ([], 0)
        _result(rows, matches, hits, found)
    from_workspace(raw)
    _counts(_Hits({raw[:4096]: [b"1"]}))


def _tool_arguments(text: str) -> None:
    from tools.toolbox import Toolbox
    from tools.web.settings import WebSettings

    toolbox = Toolbox(["todo", "bash", "read_file"], None, WebSettings())  # type: ignore[arg-type]
    text = _decoded(text)
    quoted = text.replace('"', "")
    for arguments in (text, f'{{"a": {text}}}', f'{{"{quoted}": 1}}'):
        toolbox.parse(arguments)
        toolbox.may_change("read_file", f"save_as {arguments}")
        _run(toolbox.call("todo", arguments, lambda _: None))
    _run(toolbox.call(text, "{}", lambda _: None))


def _run(coroutine: Any) -> None:
    with suppress(StopIteration):
        coroutine.send(None)


def _sanitise(text: str) -> None:
    from sii_cli.text.sanitise import one_line, sanitise, sanitise_written, without_surrogates

    sanitise(text)
    without_surrogates(text)
    sanitise_written(text)
    one_line(text, 200)


def _wrap(text: str) -> None:
    from sii_cli.prompt.view import fit
    from sii_cli.render.wrap import GrowingRows, LineStream, break_line, cut, wrap

    line = text.replace("\n", "")
    wrap(line, 80)
    break_line(line, 80)
    cut(line, 80)
    fit(line, 80)
    rows = GrowingRows(80)
    for start in range(0, len(line), 1_000):
        for end in range(16, 1_000, 16):
            rows.of(line[start : start + end])
    for width in (None, 80):
        stream = LineStream(width)
        for piece in _pieces(text):
            stream.feed(piece)
            if width:
                stream.growing  # noqa: B018
        stream.end()


def _markdown_stream(text: str) -> None:
    from recordings.events import LiveDelta, LiveOutput
    from sii_cli.render.renderer import EventRenderer

    for kind in ("content", "reasoning"):
        renderer = EventRenderer(_Screen(), fold_thoughts=True)
        for piece in _pieces(text):
            renderer.feed(LiveDelta(1, kind, piece, 0))
        renderer.feed(LiveOutput("1", text))
        renderer.finish()


class _Screen:
    live = True
    width = 80

    def __init__(self) -> None:
        from sii_cli.render.screen import Painter

        self._painter = Painter(terminal=True)

    def print(self, *renderables: Any) -> None:
        self._painter.paint(renderables, 80)

    def tail(self, lines: Any) -> None:
        pass


def _markdown(text: str) -> None:
    from sii_cli.render.markdown import whole

    screen = _Screen()
    screen.print(*whole(text))


def _code(text: str) -> None:
    from sii_cli.render.formatted import render_code

    screen = _Screen()
    for language in ("python", "bash", "json", text[:50]):
        screen.print(render_code(text, language))


def _observation(text: str) -> None:
    from recordings.events import Observation, Permission, ToolCall
    from sii_cli.render.calls import call_label, render_call
    from sii_cli.render.observations import render_observation

    details: dict[str, Any]
    for details in ({}, {"diff": text}, {"todos": [{"content": text}]}):
        observation = Observation(
            step=1, call_id="a", name="bash", text=text, seconds=0.0, details=details
        )
        for fold in (True, False):
            render_observation(observation, 80, fold=fold)
    approval = Permission(by="mode", mode="auto")
    for name in ("bash", "python", "read_file", "other"):
        key = {"bash": "command", "python": "code"}.get(name, "path")
        call = ToolCall(
            step=1,
            call_id="a",
            index=0,
            name=name,
            arguments=text,
            parsed={key: text},
            approval=approval,
        )
        render_call(call)
        call_label(call)


def _search_services(text: str) -> None:
    import orjson

    from tools.text import one_line
    from tools.web.search_providers.registry import SEARCH_PROVIDERS
    from tools.web.services.request import ServiceError

    one_line(text, 100)
    known = _recorded(text)
    entry = dict.fromkeys(("title", "url", "link", "content", "text", "date", "author"), known)
    answers = ({"results": [entry]}, {"organic": [entry]}, {"web": {"results": [entry]}}, [entry])
    bodies = [_bytes(text), *map(orjson.dumps, answers)]
    for one in SEARCH_PROVIDERS.values():
        provider = one.make("http://s.test")
        for body in bodies:
            with suppress(ServiceError):
                provider.read(body)


def _papers(text: str) -> None:
    import orjson

    from tools.web.paper_sources.registry import PAPER_SOURCES
    from tools.web.papers import parse_search
    from tools.web.services.request import ServiceError

    parse_search(text, 5, None)
    known = _recorded(text)
    entry: dict[str, Any] = dict.fromkeys(("title", "abstract", "doi", "DOI", "venue"), known)
    entry["abstract_inverted_index"] = {known[:100]: [0]}
    answer = {"results": [entry], "message": {"items": [entry]}, "data": [entry]}
    bodies = [_bytes(text), orjson.dumps(answer)]
    for make in PAPER_SOURCES.values():
        for body in bodies:
            with suppress(ServiceError):
                make().read(body)


def _scrolled(text: str) -> None:
    """What is opened on a screen that is scrolled, and drawn there by prompt_toolkit."""
    from prompt_toolkit.data_structures import Point
    from prompt_toolkit.formatted_text import ANSI
    from prompt_toolkit.layout import FormattedTextControl, Window
    from prompt_toolkit.layout.mouse_handlers import MouseHandlers
    from prompt_toolkit.layout.screen import Screen, WritePosition

    from recordings.events import Event, Observation, Permission, ToolCall, UserMessage
    from sii_cli.render.bounded import bounded, head
    from sii_cli.render.renderer import EventRenderer
    from sii_cli.render.row_screen import RowScreen

    head(text)
    rows = RowScreen(80)
    renderer = EventRenderer(rows, fold=False)
    call = ToolCall(
        step=1,
        call_id="a",
        index=0,
        name="bash",
        arguments="{}",
        parsed={"command": text},
        approval=Permission(by="mode", mode="auto"),
    )
    observation = Observation(step=1, call_id="a", name="bash", text=text, seconds=0.0)
    for data in (UserMessage(round=1, text=text), call, observation):
        renderer.feed(bounded(Event("s", 0, 0.0, 0.0, "tool", data)))
    renderer.finish()
    window = Window(FormattedTextControl(ANSI("\n".join(rows.rows[:30]))))
    drawn = Screen(initial_height=30)
    drawn.set_cursor_position(window, Point(0, 0))
    place = WritePosition(0, 0, 80, 30)
    window.write_to_screen(drawn, MouseHandlers(), place, "", False, None)


def _names(text: str) -> None:
    from sandbox.network.client_hello import Incomplete, server_name
    from sandbox.network.hosts import as_address, canonical, parse_pattern, split_port
    from sandbox.network.target import read_target
    from sii_cli.model.endpoints import read_load
    from sii_cli.model.failures import failure_of_status
    from tools.web.charsets import known_charset

    known_charset(text)
    for read in (as_address, canonical, parse_pattern, split_port):
        with suppress(ValueError):
            read(text)
    for method in ("CONNECT", "GET"):
        with suppress(Exception):
            read_target(method, f"http://{text}/")
    with suppress(ValueError, Incomplete):
        server_name(b"\x16\x03\x01\xff\xff\x01\x00\xff\xff\x03\x03" + _bytes(text))
    read_load(text)
    read_load(f"vllm:num_requests_running{{{text}")
    failure_of_status(500, _bytes(text), {"Retry-After": text, "Location": text}, text)


def _words(text: str) -> None:
    from recordings.markdown import escape_markdown
    from sii_cli.errors import UsageError
    from sii_cli.prompt.commands.registry import make_commands
    from sii_cli.prompt.paste import Pastes
    from sii_cli.prompt.slash import shell_command
    from sii_cli.session.attachments import attached_files
    from sii_cli.session.done_words import parse_done
    from sii_cli.session.mentions import mentions_of
    from sii_cli.text.sanitise import without_escapes
    from sii_cli.web.preview_access import without_own_cookie

    escape_markdown(text)
    for words in (text, f"no{text}", f"no {text}"):
        parse_done(words)
    without_own_cookie(_bytes(f"a=b; {text}"))
    without_escapes(text)
    with suppress(UsageError):
        attached_files(f"@@{text} @@{text}", ROOT / "none")
    mentions_of(f"@{text} @{text}", ROOT / "none")
    pastes = Pastes()
    pastes.expand(pastes.fold(text) + text + "[paste 1: 5 lines]")
    commands = make_commands({})
    shell_command(text)
    for line in (text, " " * len(text)):
        shell_command(f"!{line}")
        shell_command(f"!!{line}")
    for command in (text, f"/undo {text}"):
        commands.find(command)
        commands.is_command(command)
        commands.refusal(command)


def _neutralise(text: str) -> None:
    from sii_cli.model.control_tokens import (
        neutralise,
        neutralise_arguments,
        neutralise_turn,
        remove_marks,
    )

    remove_marks(neutralise(text)[0])
    neutralise_arguments(text)
    neutralise_arguments('{"a": "\\u0041' + text.replace('"', "").replace("\\", "") + '"}')
    neutralise_turn(text, text, [])


def _raw_text(text: str) -> None:
    from recordings.events import CallRequest
    from sii_cli.model.forms.glm import call_style, differences

    call_style(text)
    for raw in (text, f"<tool_call>a\n{text}</tool_call>", f"</think>{text}"):
        differences(
            raw, "a", "b", [CallRequest(index=0, call_id="1", name="a", arguments='{"k": "v"}')]
        )
        differences(raw, None, text, [])
    value = f"<tool_call>a<arg_key>k</arg_key><arg_value>{text}</arg_value></tool_call>"
    differences(
        value, None, None, [CallRequest(index=0, call_id="1", name="a", arguments='{"k": 1}')]
    )


def _stream(text: str) -> None:
    from sii_cli.model.assemble import Assembler
    from sii_cli.model.http.sse import BadStream, EventSplitter

    splitter = EventSplitter()
    try:
        for piece in _pieces(text):
            list(splitter.feed(_bytes(piece)))
    except BadStream:
        pass
    assembler = Assembler()
    for piece in _pieces(text):
        function = {"arguments": piece}
        delta = {"content": piece, "tool_calls": [{"index": 0, "function": function}]}
        list(assembler.add({"choices": [{"delta": delta}]}))
    assembler.finish_reason = "stop"
    assembler.completion(attempt=1, first_chunk=0, first_token=0, total=0, chunks=0)


def _tokens(text: str) -> None:
    from recordings.storage.encoding import encode
    from sii_cli.agent.context.tokens import estimate, text_of
    from sii_cli.tokenizer.token_text import TokenText

    estimate(text)
    text_of(encode({"role": "user", "content": text}))
    spelled = TokenText({i: bytes([i]) for i in range(256)}, {})
    list(spelled.pieces([ord(one) % 256 for one in text]))


def _ids_prompt(text: str) -> None:
    from tests.sii_cli.model.ids.offline import writer

    text = _recorded(text)
    for family in ("GLM-4.5", "Qwen3"):
        made = writer(family)
        made.user(text)
        made.system(text)
        made.result(text)
        made.turn(text, text, [("bash", {"command": text, text[:100]: 1})])
        made.control_in(text)
        list(made.vocabulary.pieces(text))


def _ids_answer(text: str) -> None:
    from sii_cli.model.ids.reader import Reader
    from sii_cli.model.response_limits import ResponseTooLarge
    from tests.sii_cli.model.ids.offline import generated, reader, vocabulary

    def read(made: Reader, ids: list[int]) -> None:
        with suppress(ResponseTooLarge):
            for token in ids:
                made.feed([token])
            made.finish()
        made.calls("1")

    text = _recorded(text)
    plain = vocabulary("GLM-4.5").encode(text)
    read(reader("GLM-4.5"), plain)
    read(reader("GLM-4.5"), generated("GLM-4.5", text))
    for argument in ("text", "obj", "n"):
        begin = generated("GLM-4.5", "</think><tool_call>use<arg_key>" + argument)
        value = generated("GLM-4.5", "</arg_key><arg_value>")
        end = generated("GLM-4.5", "</arg_value></tool_call>")
        read(reader("GLM-4.5"), [*begin, *value, *plain, *end])
    one = "<arg_key>{}</arg_key><arg_value>1</arg_value>"
    pairs = "".join(one.format(f"{piece}{at}") for at, piece in enumerate(_pieces(text)))
    read(reader("GLM-4.5"), generated("GLM-4.5", f"</think><tool_call>use{pairs}</tool_call>"))
    written = '{"name": "use", "arguments": {"text": ' + text + "}}"
    twice = "{" + '"name": "x", ' * (len(text) // 16) + '"arguments": {}}'
    for call in (written, text, twice):
        spelled = f"<think></think>\n\n<tool_call>\n{call}\n</tool_call>"
        read(reader("Qwen3"), generated("Qwen3", spelled))


def _ids_values(text: str) -> None:
    from sii_cli.model.ids.values import LiteralRoom, as_json

    for kind in ("string", "integer", "number", "array", "object", None):
        as_json(text, kind, LiteralRoom())


def _spelled_tokens(text: str) -> None:
    from recordings.events import WireInfo
    from recordings.samples.control_tokens import ControlTokens

    tokens = ControlTokens()
    begin = text[:1] or "<"
    named = [begin * length + str(number) for length in (1, 40, 90) for number in range(300)]
    tokens.follow(WireInfo(kind="ids", control_tokens=named))
    tokens.are_spelled(text)


def _claims(text: str) -> None:
    from recordings.evidence.claims import find_cited, find_claims, needle_of

    find_claims(text)
    find_cited(text)
    needle_of(text)


def _doubts(text: str) -> object:
    from recordings.index.doubts import Doubts

    doubts = Doubts()
    doubts.take("tool_call", {"arguments": text})
    doubts.take("model_response", {"content": text, "calls": []})
    return doubts.names


def _check_output(text: str) -> None:
    from recordings.pins import departures, read_facts
    from recordings.store.checks import LastCheck, last_lines

    last_lines(text)
    check = {"command": text, "exit_code": 1, "passed": False, "output": text, "error": text}
    shown = LastCheck.of(check | {"requirements": [{"name": text, "met": True, "why": text}]})
    _ = shown.verdict, shown.details
    departures(read_facts(text), {"image": text})


def _document(text: str) -> None:
    from sii_cli.errors import UsageError
    from sii_cli.fork.document import Message, read_document, write_document

    calls = tuple(("bash", text[:20] + str(i)) for i in range(len(text) // 30))
    message = Message(text, text, (("bash", text), *calls))
    with suppress(UsageError):
        read_document(write_document(message), message)


def _comparison(text: str) -> None:
    from sii_cli.reexecution.compare import ComparedObservation, compare
    from sii_cli.reexecution.rules import load_rules

    compare(
        "bash pytest",
        ComparedObservation(text),
        ComparedObservation(text[::-1] + "0.5s"),
        load_rules(),
    )


def _card(text: str) -> None:
    from sii_cli.batch.report.report import DIGITS

    DIGITS.sub("N", text)


def _conversation(text: str) -> None:
    from recordings.importing import conversations

    conversations._THINK.match(text)


def _workspace_name(text: str) -> object:
    from sii_cli.batch.plan.plan import workspace_name

    return workspace_name(text)


TAKERS: dict[str, Take] = {
    "recordings.redaction.secrets:SecretFinder.find": _secrets,
    "recordings.redaction.secrets:mask": _secrets,
    "recordings.redaction.secrets:begins_secret": _begins_secret,
    "recordings.redaction.redactor:Redactor.text": _redactor,
    "recordings.redaction.redactor:Redactor.bytes": _redactor,
    "recordings.index.schema:spaced": _search,
    "recordings.index.schema:texts_of": _search,
    "recordings.index.schema:calls_text": _search,
    "recordings.storage.lines:check_line": _lines,
    "recordings.storage.lines:follows": _lines,
    "recordings.storage.lines:read_head": _lines,
    "recordings.storage.lines:parse_line": _lines,
    "recordings.storage.failing_output:shows_failure": _failing_output,
    "sii_cli.batch.plan.plan:workspace_name": _workspace_name,
    "recordings.replay.first_screen:is_test": _first_screen,
    "recordings.samples.arguments:parse_arguments": _sample_arguments,
    "sandbox.snapshots.text_diff:unified_diff": _text_diff,
    "sandbox.snapshots.text_diff:line_counts": _text_diff,
    "sandbox.snapshots.text_diff:quoted": _text_diff,
    "tools.diff:unified_diff": _tool_diff,
    "tools.nearest:diagnose_miss": _nearest,
    "tools.text:TextFile.encode": _tool_text,
    "tools.text:decode_text": _tool_text,
    "tools.text:count_lines": _tool_text,
    "tools.text:lines_from": _tool_text,
    "tools.text:displayed": _tool_text,
    "tools.output:shape": _tool_output,
    "tools.output:show": _tool_output,
    "tools.output:show_line": _tool_output,
    "tools.command_text:command_result": _tool_output,
    "tools.filetypes:describe_binary": _tool_output,
    "tools.documents:kind_of": _documents,
    "tools.documents:named_like_document": _documents,
    "tools.web.html_versions:html_version": _documents,
    "tools.ripgrep:from_workspace": _grep,
    "tools.ripgrep:SearchOutput.counts": _grep,
    "sii_cli.agent.plain_lines:is_plain": _plain_line,
    "tools.toolbox:Toolbox.may_change": _tool_arguments,
    "tools.toolbox:Toolbox.parse": _tool_arguments,
    "tools.toolbox:Toolbox.call": _tool_arguments,
    "tools.schema:parse_arguments": _tool_arguments,
    "tools.schema:wrong_arguments": _tool_arguments,
    "sii_cli.text.sanitise:sanitise": _sanitise,
    "sii_cli.text.sanitise:one_line": _sanitise,
    "sii_cli.text.sanitise:without_surrogates": _sanitise,
    "sii_cli.text.sanitise:sanitise_written": _sanitise,
    "sii_cli.render.wrap:break_line": _wrap,
    "sii_cli.render.wrap:wrap": _wrap,
    "sii_cli.render.wrap:cut": _wrap,
    "sii_cli.render.wrap:LineStream.feed": _wrap,
    "sii_cli.render.wrap:GrowingRows.of": _wrap,
    "sii_cli.prompt.view:fit": _wrap,
    "sii_cli.render.bounded:head": _scrolled,
    "sii_cli.render.growing:FoldedThought.feed": _markdown_stream,
    "sii_cli.render.growing:GrowingOutput.feed": _markdown_stream,
    "sii_cli.render.growing:Prose.feed": _markdown_stream,
    "sii_cli.render.markdown:MarkdownStream.feed": _markdown_stream,
    "sii_cli.render.markdown:whole": _markdown,
    "sii_cli.render.formatted:render_markdown": _markdown,
    "sii_cli.render.formatted:render_code": _code,
    "tools.web.charsets:known_charset": _names,
    "tools.web.papers:PaperSource.read": _papers,
    "tools.web.papers:parse_search": _papers,
    "tools.web.paper_sources.arxiv:Arxiv.read": _papers,
    "tools.web.paper_sources.crossref:Crossref.read": _papers,
    "tools.web.paper_sources.openalex:Openalex.read": _papers,
    "tools.web.paper_sources.semantic_scholar:SemanticScholar.read": _papers,
    "tools.web.services.json_answers:entries_of": _papers,
    "tools.web.services.json_answers:object_of": _papers,
    "tools.text:one_line": _search_services,
    "tools.web.search:SearchProvider.read": _search_services,
    "tools.web.search:as_result": _search_services,
    "tools.web.search_providers.brave:BraveProvider.read": _search_services,
    "tools.web.search_providers.ddgs:DdgsProvider.read": _search_services,
    "tools.web.search_providers.exa:ExaProvider.read": _search_services,
    "tools.web.search_providers.searxng:SearxngProvider.read": _search_services,
    "tools.web.search_providers.serper:SerperProvider.read": _search_services,
    "tools.web.search_providers.tavily:TavilyProvider.read": _search_services,
    "tools.web.services.json_answers:read_entries": _search_services,
    "tools.web.services.json_answers:read_json": _search_services,
    "tools.web.services.json_answers:read_object": _search_services,
    "sandbox.network.hosts:parse_pattern": _names,
    "sandbox.network.hosts:split_port": _names,
    "sandbox.network.hosts:canonical": _names,
    "sandbox.network.hosts:as_address": _names,
    "sandbox.network.target:read_target": _names,
    "sandbox.network.client_hello:server_name": _names,
    "sii_cli.model.endpoints:read_load": _names,
    "sii_cli.model.failures:failure_of_status": _names,
    "recordings.markdown:escape_markdown": _words,
    "sii_cli.text.sanitise:without_escapes": _words,
    "sii_cli.session.done_words:parse_done": _words,
    "sii_cli.web.preview_access:without_own_cookie": _words,
    "sii_cli.session.attachments:attached_files": _words,
    "sii_cli.session.mentions:mentions_of": _words,
    "sii_cli.prompt.paste:Pastes.fold": _words,
    "sii_cli.prompt.paste:Pastes.expand": _words,
    "sii_cli.prompt.slash:SlashCommands.find": _words,
    "sii_cli.prompt.slash:SlashCommands.is_command": _words,
    "sii_cli.prompt.slash:SlashCommands.refusal": _words,
    "sii_cli.prompt.slash:shell_command": _words,
    "sii_cli.model.control_tokens:neutralise": _neutralise,
    "sii_cli.model.control_tokens:neutralise_arguments": _neutralise,
    "sii_cli.model.control_tokens:remove_marks": _neutralise,
    "sii_cli.model.control_tokens:neutralise_turn": _neutralise,
    "sii_cli.model.forms.glm:differences": _raw_text,
    "sii_cli.model.forms.glm:call_style": _raw_text,
    "sii_cli.model.http.sse:EventSplitter.feed": _stream,
    "sii_cli.agent.output_pieces:OutputPieces.add": _output_pieces,
    "sii_cli.agent.context.tokens:estimate": _tokens,
    "sii_cli.agent.context.tokens:text_of": _tokens,
    "sii_cli.model.ids.writer:Writer.control_in": _ids_prompt,
    "sii_cli.model.ids.writer:Writer.result": _ids_prompt,
    "sii_cli.model.ids.writer:Writer.system": _ids_prompt,
    "sii_cli.model.ids.writer:Writer.turn": _ids_prompt,
    "sii_cli.model.ids.writer:Writer.user": _ids_prompt,
    "sii_cli.tokenizer.vocabulary:Vocabulary.encode": _ids_prompt,
    "sii_cli.tokenizer.vocabulary:Vocabulary.pieces": _ids_prompt,
    "sii_cli.model.ids.call_reader:JsonReader.control": _ids_answer,
    "sii_cli.model.ids.call_reader:JsonReader.text": _ids_answer,
    "sii_cli.model.ids.call_reader:PairsReader.control": _ids_answer,
    "sii_cli.model.ids.call_reader:PairsReader.text": _ids_answer,
    "sii_cli.model.ids.reader:Reader.calls": _ids_answer,
    "sii_cli.model.ids.values:LiteralRoom.take": _ids_values,
    "sii_cli.model.ids.values:as_json": _ids_values,
    "recordings.samples.control_tokens:ControlTokens.are_spelled": _spelled_tokens,
    "recordings.store.checks:LastCheck.of": _check_output,
    "recordings.store.checks:last_lines": _check_output,
    "recordings.evidence.claims:find_cited": _claims,
    "recordings.evidence.claims:find_claims": _claims,
    "recordings.evidence.claims:needle_of": _claims,
    "recordings.index.doubts:Doubts.take": _doubts,
    "recordings.pins:read_facts": _check_output,
    "recordings.pins:departures": _check_output,
    "sii_cli.fork.document:read_document": _document,
    "sii_cli.reexecution.compare:compare": _comparison,
}

MORE: dict[str, Take] = {
    "edit_file": _edit_file,
    "timeline and replay items": _timeline,
    "calls and observations": _observation,
    "report": _card,
    "importing": _conversation,
}
"""What takes text in an object, or within a class that is not public."""

REASONS: dict[str, tuple[str, ...]] = {
    "what the user says, or settings": (
        *(
            "sii_cli.commands.*",
            "sii_cli.config.*",
            "sandbox.backends:*",
            "sandbox.docker.check:*",
            "sii_cli.doctor.record:*",
            "sii_cli.model_server.vllm_command:*",
        ),
        *("sii_cli.options.*", "sii_cli.headless.*", "sii_cli.prompt.*", "sii_cli.demo.*"),
        *("sii_cli.fork.instead:*", "sii_cli.model.thinking:*"),
        *("sii_cli.fork.edit:*", "sii_cli.fork.workspace:*", "sii_cli.review.*", "sii_cli.queue.*"),
        *("sii_cli.inbox.*", "sii_cli.data_sets.registry:*", "sii_cli.session.data_note:*"),
        *("sii_cli.batch.variants:*", "recordings.index.find:*", "recordings.store.store:*"),
        *(
            "sii_cli.agent.loop:AgentLoop.round",
            "sii_cli.agent.loop:AgentLoop.compact",
            "sii_cli.agent.context.compaction:Compactor.compact",
            "sii_cli.agent.context.parts:*",
            "sii_cli.agent.context.summary:*",
            "sii_cli.agent.inbox:*",
            "sii_cli.session.session:Session.*",
            "sii_cli.session.fits:*",
            "sii_cli.session.human_command:*",
            "sii_cli.session.recorded_session:RecordedSession.check_fits",
            "sii_cli.session.sign_off:*",
            "sii_cli.sessions.*",
            "recordings.index.names:*",
        ),
    ),
    "a file of a batch, read within bounds of its own before sessions run": (
        "sii_cli.batch.*",
        "sii_cli.reexecution.*",
        "sii_cli.queries.*",
    ),
    "runs within the sandbox, for the model alone": ("sandbox.runner.*",),
    "tests of a sandbox": ("sandbox.conformance.*",),
    "hands a text on to the sandbox or to a server, or keeps it as it is": (
        *(
            "sandbox.client.calls:*",
            "sandbox.protocol:*",
            "sandbox.docker.attach:*",
        ),
        *("sandbox.client.jobs:*", "sandbox.client.results:*", "sandbox.network.relay:*"),
        *("sandbox.network.log:*", "sandbox.client.connections:*", "sandbox.ports:*"),
        *("sii_cli.web.exchange:PreviewExchange.refuse",),
        *("tools.documents:read_document",),
        *("tools.files:*", "tools.ripgrep:Ripgrep.search", "sii_cli.agent.event_channel:*"),
        *(
            "tools.web.connect:CheckedBackend.connect_tcp",
            "tools.web.search_providers.ddgs_search:find",
            "tools.web.services.asking:Asking.ask",
            "tools.web.services.shared_folder:*",
            "tools.web.fetch:Fetcher.fetch",
            "tools.web.html_to_markdown:convert",
            "tools.web.html_to_markdown:decode",
            "tools.web.html_to_markdown:whole_page",
            "tools.web.inflate:read_body",
            "tools.web.proxies:find_proxy",
            "tools.web.search_providers.registry:*",
        ),
        *(
            "sandbox.client.stream:RunnerStream.call",
            "sandbox.client.stream:RunnerStream.end",
            "sandbox.client.stream:RunnerStream.feed",
            "sandbox.client.stream:RunnerStream.write",
        ),
        *(
            "sii_cli.model.server:Server.ask",
            "sii_cli.model.server:Server.post",
            "sii_cli.model.server:Server.detokenize",
            "sii_cli.model.server:Server.model",
            "sii_cli.model.server:Server.token_ids",
            "sii_cli.model.server:Server.tokenize",
            "sii_cli.model.server:named",
        ),
        *("sii_cli.model.http.transport:*", "sii_cli.model.types:*"),
        *(
            "sii_cli.model.vllm:*",
            "sii_cli.agent.context.meter:*",
            "sii_cli.agent.context.tokens:*.count",
        ),
        *(
            "sii_cli.tokenizer.chat_template:*",
            "sii_cli.tokenizer.tokenizer_file:parse_tokenizer",
            "sii_cli.session.wire:*",
            *("sii_cli.model.ids.choose:*", "sii_cli.model.ids.prove:*"),
            *("sii_cli.model.ids.wire:*", "sii_cli.model.ids.values:ArgumentTypes.of"),
            "sii_cli.model.ids.call_reader:CallReader.*",
            "sii_cli.agent.model_client:*",
        ),
        *(
            "recordings.storage.blobs:*",
            "recordings.recorder:*",
            "recordings.storage.log:*",
            "recordings.storage.files:*",
        ),
        *(
            "recordings.conversation.ids:*",
            "recordings.conversation.messages:*",
            "recordings.storage.lines:*",
            "recordings.storage.migrations:*",
        ),
        *("recordings.importing.*", "recordings.index.texts:*", "recordings.redaction.rewrite:*"),
    ),
    "names, hashes, addresses, reasons and handles; files of blocks": (
        *("sandbox.snapshots.*", "sandbox.network.*", "sandbox.docker.container_guard:*"),
        *(
            "sandbox.docker.engine:*",
            "sandbox.host_programs:*",
            "sandbox.docker.image:*",
            "sandbox.docker.sii_images:*",
            "sandbox.client.launch:*",
        ),
        *(
            "sandbox.docker.leftovers:*",
            "sandbox.seccomp:*",
            "sii_cli.session.sandbox_lease:*",
        ),
        *("recordings.reviews.approval:*", "recordings.export.*"),
        *(
            "recordings.index.approvals:*",
            "recordings.conversation.authors:*",
            "recordings.conversation.restore:*",
            "recordings.storage.opening:*",
            "recordings.review*",
            "recordings.trust.*",
        ),
        *(
            "recordings.samples.sample:*",
            "recordings.redaction.secrets:is_of_token",
            "recordings.store.summary:*",
            "sii_cli.agent.command_options:*",
            "sii_cli.agent.misread_parts:*",
            "sii_cli.agent.read_only_commands:*",
            "sii_cli.agent.shell_commands:*",
        ),
        *(
            "sii_cli.agent.permissions:*",
            "sii_cli.debug_log:logger",
            "sii_cli.model.errors:*",
            "sii_cli.model.forms.registry:*",
        ),
        *("tools.registry:*", "tools.sources:*"),
        *("tools.toolbox:Toolbox.*", "tools.text:counted", "tools.command_text:job_command"),
        *("sii_cli.model.endpoints:Endpoints.place", "sii_cli.model.continuity:*"),
        *("sii_cli.model.failures:failure_of_exception", "sii_cli.doctor.server_checks:*"),
        *(
            "sii_cli.render.activity:Activity.begin",
            "sii_cli.render.figures:counted",
            "sii_cli.render.plot:plot_stats",
            "sii_cli.render.screen:TerminalScreen.foot",
            "sii_cli.render.stats:stats_lines",
            "sii_cli.render.terminal:reflows",
        ),
        *("sii_cli.batch.running.table:*",),
        *("recordings.outcomes:*", "recordings.pins:pinned_facts", "recordings.index.glance:*"),
        *("recordings.index.update:*", "recordings.store.resolve:*", "recordings.replay.html:*"),
        *("sii_cli.render.glance:*", "sii_cli.session.pins:*", "sii_cli.session.events:*"),
        *("sii_cli.import_path:*",),
    ),
}
