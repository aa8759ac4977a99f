"""One example of every event, as a short session would record it; the document shows them."""

from recordings.events import (
    AttachedFile,
    BlobRef,
    CallRequest,
    Check,
    CheckFound,
    Compaction,
    Consent,
    Continuity,
    Edit,
    Event,
    EventData,
    FileChange,
    HarnessMessage,
    HumanCommand,
    IdSpan,
    Interrupt,
    MessageSpan,
    ModelChange,
    ModelDelta,
    ModelError,
    ModelRequest,
    ModelResponse,
    NetworkRequest,
    Neutralised,
    Observation,
    Origin,
    Parked,
    PendingMessage,
    PendingReturned,
    Permission,
    PermissionAnswer,
    PermissionRequest,
    PortOpened,
    PreviewOpened,
    QueryOutcome,
    RawGeneration,
    Redaction,
    Rewind,
    RoundEnd,
    SandboxEnd,
    SandboxStart,
    SentBack,
    ServerCheck,
    SessionEnd,
    SessionResume,
    SessionStart,
    SimulatedUser,
    Snapshot,
    SnapshotFailed,
    StreamTiming,
    Stub,
    SummaryEdit,
    SummaryRequest,
    SummaryResponse,
    ToolCall,
    ToolOutput,
    Truncation,
    Usage,
    UserMessage,
    WireInfo,
)
from recordings.storage.lines import encode_event

SESSION = "20261123-204950-a3f9c2"
TOOL = {
    "type": "function",
    "function": {
        "name": "bash",
        "description": "Run a shell command …",
        "parameters": {"type": "object", "properties": {"command": {"type": "string"}}},
    },
}
COMMAND = '{"command": "python -m pytest -q"}'

EXAMPLES: list[tuple[EventData, Origin]] = [
    (
        SessionStart(
            sii_version="0.1.0",
            mode="interactive",
            workspace="/home/ada/ledger",
            model="GLM-4.5-Air",
            base_url="http://127.0.0.1:8000/v1",
            server={"version": "0.12.0"},
            context_length=131072,
            system_prompt="You are an agent in a terminal …",
            tools=[TOOL],
            tools_sha256="5d2f0f6c8a2d3d0b4a5c6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3",
            settings={"temperature": 1.0, "max_steps": 200},
            speaker="ada",
        ),
        "harness",
    ),
    (
        ServerCheck(
            base_url="http://127.0.0.1:8000/v1",
            examined=1795463000.0,
            checks=[
                CheckFound(name="version", status="ok", found="vLLM 0.12.0"),
                CheckFound(
                    name="prefix cache",
                    status="warn",
                    found="nothing was kept",
                    remedy="--enable-prefix-caching",
                ),
            ],
        ),
        "harness",
    ),
    (
        SandboxStart(
            backend="docker",
            sandbox_id="sii-20261123-204950-a3f9c2",
            image="sii-sandbox:latest",
            image_digest="sha256:0c1d2e3f405162738495a6b7c8d9eafb0c1d2e3f405162738495a6b7c8d9eafb",
            limits={"memory": 4294967296, "cpus": 2.0, "pids": 512},
            mounts={"/mnt/data": "/srv/data"},
            setup=["pip install -q -e ."],
            env=["HF_TOKEN"],
            start_seconds=0.41,
        ),
        "harness",
    ),
    (
        UserMessage(
            round=1,
            text="Why does <|user|> break the parser?",
            sent="Why does <\u200b|user|> break the parser?",
            neutralised=[Neutralised(token="<|user|>", count=1)],
        ),
        "human",
    ),
    (
        ModelRequest(
            step=1,
            attempt=1,
            request_id="sii-7c9e6679f3c54b0e8a1d2f4b5c6d7e8f",
            messages=MessageSpan(keep=0, new=[0, 2]),
            messages_sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            params={"model": "GLM-4.5-Air", "temperature": 1.0, "stream": True},
        ),
        "harness",
    ),
    (
        ModelError(
            step=1,
            attempt=1,
            kind="broken_stream",
            message="The server closed the stream before the message ended.",
            retry_in=0.5,
            reasoning="Let me run",
        ),
        "harness",
    ),
    (
        ModelDelta(
            step=1,
            kind="reasoning",
            text="Let me run the tests first.",
            pieces=[(0, 10), (104, 17)],
        ),
        "model",
    ),
    (
        ModelResponse(
            step=1,
            attempt=2,
            response_id="chatcmpl-4f1c",
            reasoning="Let me run the tests first.",
            content="",
            calls=[CallRequest(index=0, call_id="call-1", name="bash", arguments=COMMAND)],
            finish_reason="tool_calls",
            stop_reason=151338,
            complete=True,
            usage=Usage(prompt_tokens=7, completion_tokens=6, cached_tokens=0),
            prompt_ids=IdSpan(keep=0, new=[151331, 151333, 151335, 198, 2610, 525, 264]),
            continuity=Continuity(kind="first"),
            generated_ids=[10061, 752, 1598, 279, 7032, 151338],
            timing=StreamTiming(first_chunk=0.05, first_token=0.05, total=0.42, chunks=6),
        ),
        "model",
    ),
    (
        RawGeneration(
            step=1,
            attempt=2,
            flags=["whitespace_differs"],
            text="Let me run the tests first. </think><tool_call>bash<arg_key>command</arg_key>"
            "<arg_value>python -m pytest -q</arg_value></tool_call>",
        ),
        "harness",
    ),
    (
        ToolCall(
            step=1,
            call_id="call-1",
            index=0,
            name="bash",
            arguments=COMMAND,
            parsed={"command": "python -m pytest -q"},
            approval=Permission(by="mode", mode="auto"),
        ),
        "model",
    ),
    (
        ToolOutput(call_id="call-1", text="....F\n"),
        "tool",
    ),
    (
        Observation(
            step=1,
            call_id="call-1",
            name="bash",
            text="....F\n[… 812 lines left out …]\n1 failed, 4 passed\n[exit code 1]",
            exit_code=1,
            seconds=1.284,
            truncated=Truncation(bytes=51200, lines=812),
            full=BlobRef(
                sha256="2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
                size=51284,
            ),
            changed=[],
        ),
        "tool",
    ),
    (
        HumanCommand(
            step=1,
            command="git stash",
            text="No local changes to save",
            told=True,
            exit_code=0,
            seconds=0.02,
            speaker="ada",
        ),
        "human",
    ),
    (
        SummaryEdit(of=11, text="The summary, as the human has it.", speaker="ada"),
        "human",
    ),
    (
        ModelChange(
            model="GLM-4.6",
            base_url="http://127.0.0.1:8000/v1",
            context_length=202752,
            thinking=False,
            wire=WireInfo(kind="messages", why="no tokenizer is set"),
            speaker="ada",
        ),
        "human",
    ),
    (
        AttachedFile(
            path="ledger/money.py",
            lines=(1, 2),
            sha256="5d2f0f6c8a2d3d0b4a5c6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3",
            text="The human attached ledger/money.py, lines 1 to 2:\n\nfrom decimal import Decimal",
        ),
        "attachment",
    ),
    (
        HarnessMessage(
            reason="repetition",
            text="You made the same call three times with the same result. Try something else.",
        ),
        "harness",
    ),
    (
        PendingMessage(text="Run only test_money.py.", delivery="steer", speaker="ada"),
        "human",
    ),
    (
        PendingReturned(pending=[14], why="taken_back"),
        "human",
    ),
    (
        SummaryRequest(
            step=2,
            attempt=1,
            request_id="sii-1b9d6bcdbbfd4b2d9b5dab8dfbbd4bed",
            messages=MessageSpan(keep=2, new=[6, 9, 10]),
            instruction="The context is full. Sum up what has been done.",
            messages_sha256="60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
            params={"model": "GLM-4.5-Air", "tool_choice": "none", "max_tokens": 4096},
        ),
        "harness",
    ),
    (
        SummaryResponse(
            step=2,
            attempt=1,
            content="The tests were run: 1 of 5 fails.",
            finish_reason="stop",
            stop_reason=151336,
            complete=True,
            summary="What was done so far:\n\nThe tests were run: 1 of 5 fails.",
            usage=Usage(prompt_tokens=24, completion_tokens=5),
            prompt_ids=IdSpan(keep=13, new=[151338, 198, 522, 151335, 2610, 525, 264, 9, 8, 7, 6]),
            generated_ids=[785, 7032, 1033, 1598, 151336],
        ),
        "compaction",
    ),
    (
        Stub(of=9, call_id="call-1", text="[left out to make room: 96 characters]"),
        "compaction",
    ),
    (
        Compaction(
            cause="full",
            kind="summary",
            messages=MessageSpan(keep=2, new=[12]),
            before=118230,
            after=2411,
        ),
        "compaction",
    ),
    (
        Interrupt(round=1, during="model"),
        "human",
    ),
    (
        Snapshot(
            step=1,
            cause="step",
            tree="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            changes=[
                FileChange(path="calc.py", kind="modified", added=1, removed=1),
                FileChange(path="plot.png", kind="added", binary=True),
            ],
            not_kept=["data/big.bin: too large"],
            seconds=0.0041,
        ),
        "harness",
    ),
    (
        SnapshotFailed(
            step=1,
            reason="The snapshot cannot be written to /home/ann/.sii/snapshots: "
            "the disk is full: free some space.",
        ),
        "harness",
    ),
    (
        RoundEnd(round=1, status="interrupted", steps=1),
        "harness",
    ),
    (
        Check(
            round=1,
            command="python -m pytest -q hidden_tests",
            exit_code=1,
            passed=False,
            output="1 failed, 3 passed in 0.12s",
            seconds=0.84,
        ),
        "harness",
    ),
    (
        SimulatedUser(
            round=1,
            model="GLM-4.6",
            messages=[{"role": "user", "content": "You play the user …"}],
            reply="The empty string still breaks it.",
            usage=Usage(prompt_tokens=412, completion_tokens=9),
        ),
        "query",
    ),
    (
        Parked(status="unsolved", reason="the check failed (exit code 1)", feedback_rounds=1),
        "harness",
    ),
    (
        QueryOutcome(status="unsolved", reason="the check failed (exit code 1)", feedback_rounds=1),
        "harness",
    ),
    (
        SessionResume(
            sii_version="0.1.0",
            model="GLM-4.5-Air",
            base_url="http://127.0.0.1:8000/v1",
            lost="nothing",
        ),
        "harness",
    ),
    (
        Edit(
            by="ann",
            replaced=9,
            sha256="2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
            parts=["reasoning", "calls"],
            why="It had the failing test's name already.",
        ),
        "annotator",
    ),
    (
        Rewind(by="ada", message=9, why="wrong", files=True),
        "human",
    ),
    (
        SentBack(by="ann", step=9, batch="overnight", attempt=2, variant={"temperature": 0.7}),
        "annotator",
    ),
    (
        Redaction(
            by="ada",
            names=["GITHUB_TOKEN"],
            seqs=[9],
            old_sha256="fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9",
        ),
        "annotator",
    ),
    (
        NetworkRequest(
            sandbox_id="sii-20261123-204950-a3f9c2",
            host="packages.example.org",
            port=443,
            method="CONNECT",
            allowed=True,
            address="151.101.0.223",
            status=200,
            sent=1841,
            received=48210,
            seconds=0.31,
        ),
        "harness",
    ),
    (PortOpened(sandbox_id="sii-20261123-204950-a3f9c2", job=2, port=8000), "harness"),
    (PreviewOpened(port=8000, speaker="ada"), "human"),
    (
        Consent(
            speaker="ada",
            asked=True,
            training=True,
            leaves_team=False,
            license="CC-BY-4.0",
            text_sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            answered=1795466000.0,
        ),
        "human",
    ),
    (
        PermissionRequest(
            step=1,
            call_id="call-1",
            name="bash",
            about=["git push origin main"],
            rule="bash: git push* -> ask",
            mode="auto",
        ),
        "harness",
    ),
    (
        PermissionAnswer(
            step=1, call_id="call-1", answer="no", words="Not to main.", speaker="ada"
        ),
        "human",
    ),
    (
        SandboxEnd(sandbox_id="sii-20261123-204950-a3f9c2", reason="closed"),
        "harness",
    ),
    (
        SessionEnd(
            status="interrupted",
            rounds=1,
            steps=1,
            usage=Usage(prompt_tokens=7, completion_tokens=6),
        ),
        "harness",
    ),
]


def example_lines() -> list[tuple[Event, bytes]]:
    """The examples as one recording: events and their lines, chained."""
    lines: list[tuple[Event, bytes]] = []
    prev = ""
    for seq, (data, origin) in enumerate(EXAMPLES):
        event = Event(
            session=SESSION,
            seq=seq,
            wall=1795466990.25 + seq * 0.5,
            mono=5021.75 + seq * 0.5,
            origin=origin,
            data=data,
            prev=prev,
        )
        line, prev = encode_event(event)
        lines.append((event, line))
    return lines
