"""What the tiny GLM learns to say, as data. What its calls return is not written here: they are
really run, and what they return is recorded (`observe.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TOOLS = ("bash", "read_file", "edit_file", "python")
SYSTEM_PROMPT = Path(__file__).with_name("system_prompt.md")


@dataclass(frozen=True, slots=True)
class Step:
    """What the model says at one step; without calls it is the answer."""

    content: str = ""
    reasoning: str = ""
    calls: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    """Pairs of a tool's name and its arguments."""


@dataclass(frozen=True, slots=True)
class Round:
    """A user message and the model's steps up to its answer."""

    user: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Conversation:
    """A session that the model can replay, given the same workspace and user messages."""

    name: str
    rounds: tuple[Round, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    """The workspace at the start."""
    enable_thinking: bool | None = None


def call(name: str, **arguments: Any) -> tuple[str, Mapping[str, Any]]:
    """Write a call as in Python."""
    return name, arguments


BUGFIX = Conversation(
    name="bugfix",
    files={
        "calc.py": "def add(a, b):\n    return a - b\n",
        "test_calc.py": (
            "from calc import add\n\n"
            'result = add(2, 3)\nprint("ok" if result == 5 else f"add(2, 3) is {result}, not 5")\n'
        ),
    },
    rounds=(
        Round(
            user="The test in /workspace/test_calc.py fails. Find the bug and mend it.",
            steps=(
                Step(
                    reasoning="I look at what is there and run the test first.",
                    calls=(call("bash", command="ls && python3 test_calc.py", timeout=30),),
                ),
                Step(
                    reasoning="add(2, 3) gives -1.\nI read both files at once.",
                    content="Let me read both files.",
                    calls=(
                        call("read_file", path="calc.py"),
                        call("read_file", path="test_calc.py", offset=1, limit=20),
                    ),
                ),
                Step(
                    reasoning="The operator is wrong: minus instead of plus.",
                    calls=(
                        call(
                            "edit_file",
                            path="calc.py",
                            edits=[
                                {"old": "return a - b", "new": "return a + b", "replace_all": False}
                            ],
                        ),
                    ),
                ),
                Step(
                    reasoning="Now the test again.",
                    calls=(call("bash", command="python3 test_calc.py"),),
                ),
                Step(
                    reasoning="It passes. I sum up.",
                    content="I mended `add` in calc.py: it used `-` instead of `+`.\n\n"
                    "The test prints `ok` now.",
                ),
            ),
        ),
        Round(
            user="Thanks. What was the bug?",
            steps=(Step(reasoning="A short answer will do.", content="A minus sign in `add`."),),
        ),
    ),
)

UNICODE = Conversation(
    name="unicode",
    rounds=(
        Round(
            user="Write hello.py that greets the world in two languages, and run it.",
            steps=(
                Step(
                    reasoning="A heredoc is the shortest way.",
                    calls=(
                        call(
                            "bash",
                            command="cat > hello.py <<'EOF'\n"
                            'print("héllo → 世界 🌍", {"a": 1})\n'
                            "EOF\npython3 hello.py",
                        ),
                    ),
                ),
                Step(reasoning="It works.", content="It prints: héllo → 世界 🌍"),
            ),
        ),
    ),
)

COMPUTE = Conversation(
    name="compute",
    rounds=(
        Round(
            user="What is the sum of the first ten squares, and its square root?",
            steps=(
                Step(
                    reasoning="Python can tell.",
                    calls=(call("python", code="total = sum(n * n for n in range(1, 11))\ntotal"),),
                ),
                Step(
                    reasoning="The variable is still there.",
                    calls=(call("python", code="import math\nprint(round(math.sqrt(total), 3))"),),
                ),
                Step(reasoning="Both are known.", content="The sum is 385, its root 19.621."),
            ),
        ),
    ),
)

COUNTING = Conversation(
    name="counting",
    rounds=(
        Round(
            user="Count from one to forty in words.",
            steps=(
                Step(
                    reasoning="I only count.",
                    content="one two three four five six seven eight nine ten eleven twelve "
                    "thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty "
                    "twenty-one twenty-two twenty-three twenty-four twenty-five twenty-six "
                    "twenty-seven twenty-eight twenty-nine thirty thirty-one thirty-two "
                    "thirty-three thirty-four thirty-five thirty-six thirty-seven thirty-eight "
                    "thirty-nine forty",
                ),
            ),
        ),
    ),
)

GREETING = Conversation(
    name="greeting",
    rounds=(Round(user="Say hi.", steps=(Step(content="Hi there!"),)),),
    enable_thinking=False,
)

SUMMARY = Step(
    reasoning="I say what is known.",
    content="## Task\nCount from one to forty in words.\n\n## State\nDone.",
)
"""What it says when it is asked to summarise `COUNTING`."""

CONVERSATIONS = (BUGFIX, UNICODE, COMPUTE, COUNTING, GREETING)
