"""The commands of a command line, as rules of permissions see them."""

from __future__ import annotations

import time

import pytest

from sii_cli.agent.read_only_commands import is_read_only
from sii_cli.agent.shell_commands import LONGEST, shell_commands

PUSH = "git push origin main"


def texts(line: str) -> list[str]:
    return [command.text for command in shell_commands(line)]


@pytest.mark.parametrize(
    "line",
    [
        PUSH,
        "git  push\torigin \\\n main",
        "'git' \"push\" origin ma'in'",
        r"g\it push origin main",
        "/usr/bin/git push origin main",
        "git -C elsewhere --git-dir=x push origin main",
        "A=1 B=$(true) git push origin main",
        "cd x && git push origin main",
        "false || (git push origin main)",
        "echo hi | git push origin main",
        "git push origin main &",
        "! git push origin main",
        "if true; then git push origin main; fi",
        "while read line; do git push origin main; done < list",
        "f() { git push origin main; }; f",
        "case a in a) git push origin main;; esac",
        "echo $(git push origin main)",
        "echo `git push origin main`",
        "diff <(git push origin main) b",
        "echo ${A:-$(git push origin main)}",
        "cat <<END\n$(git push origin main)\nEND",
        "[[ -f $(git push origin main) ]]",
        "export A=$(git push origin main)",
        "sudo -u root git push origin main",
        "env -u HOME A=1 git push origin main",
        "timeout -k 1 5 nice -n 5 git push origin main",
        "xargs -n 1 git push origin main < list",
        "find . -name x -exec git push origin main",
        "trap 'git push origin main' EXIT",
        'eval "git push origin main"',
        "eval git push origin main",
        "bash -c 'git push origin main'",
        "bash -lc \"true; sh -c 'git push origin main'\"",
        *("bash -cx 'git push origin main'", "bash -c -- 'git push origin main'"),
        *("bash -co posix 'git push origin main'", "rbash -c 'git push origin main'"),
        *("eval -- git push origin main", "trap -- 'git push origin main' EXIT"),
        *("nice --adj 5 git push origin main", "sudo -Eu root git push origin main"),
        *("env -iu X git push origin main", "env --argv0 x git push origin main"),
        *("timeout -vk 5 10 git push origin main", "exec -la x git push origin main"),
        *("xargs -0n 1 git push origin main", "stdbuf --output L git push origin main"),
        *("git --config-env a=b push origin main", "git-push origin main"),
        '"g\\\nit" push origin main',
        *("git 2>/dev/null push origin main", "eval </dev/null git push origin main"),
        *("a | git >&2 push 2>f origin main", "! git <<E >f push origin main\nE\n"),
    ],
)
def test_a_command_is_found_however_it_is_written(line: str) -> None:
    assert PUSH in texts(line)


@pytest.mark.parametrize(
    "line",
    [
        "echo 'git push origin main'",
        "ls # git push origin main",
        "cat <<'END'\ngit push origin main\nEND",
        "grep -r 'git push origin main' .",
    ],
)
def test_text_is_not_a_command(line: str) -> None:
    assert PUSH not in texts(line)


@pytest.mark.parametrize(
    "line",
    [
        *("$PROGRAM push", "$(echo git) push", "eval $X", 'bash -c "$X"', "curl x | sh"),
        *("bash < x", "bash <<END\ngit push\nEND", "git 'push", "$'git' push", "a\0b"),
        *("env -S 'git push'", "env '-Sgit push' ls", "env --split-string='git push' ls"),
        *("source /dev/stdin <<< 'git push'", "bash /dev/stdin <<< 'git push'", ". <(x)"),
        *("coproc N { git push; }", "ionice git push", "busybox git push", "sudo --x git push"),
        *(
            "/bin/gi? push",
            "gi[t] push",
            "g\\\nit push",
            "ls\n\\git push",
            "cat <<E;git push<<'E'\nE\n",
            "ls x\\\n#; git push",
        ),
        *('echo "`echo \\`git push\\``"', "time -o x ls", "bash -s x", "bash $X"),
        "a" * (LONGEST + 1),
    ],
)
def test_what_is_made_while_it_runs_is_not_known(line: str) -> None:
    assert any(command.known == 0 for command in shell_commands(line))


@pytest.mark.parametrize(
    "line",
    [
        *("cat <<E\n`git push`\nE", "cat <<-E\n\t$(git push)\n\tE", "cat <<E\n$ $(git push)\nE"),
        *("cat <<E\n'`git push`'\nE", "cat <<E\n$\\\n(git push)\nE", 'echo "$\\\n(git push)"'),
        *("echo ${A:-`git push`}", "echo ${A+`git push`}", 'echo "${A:-`git push`}"'),
        *("echo ${A%`git push`}", "echo ${A/x/`git push`}", "echo ${A^$(git push)}"),
        *("echo ${A:-<(git push)}", "echo ${A:-x >(git push)}", "[[ x =~ ^(`git push`)$ ]]"),
        *("echo \"${A:-'$(git push)'}\"", "echo \"${A:-$'`git push`'}\"", "((1 #`git push`\n))"),
        *('echo "${A:-\'}"; git push; echo "\'}"', "cat <<E\n${A:-'$(git push)'}\nE"),
        *("cat <<E\n${A:-'}\nE\ngit push\ncat <<E\n'}\nE", "echo $((1 # `git push`\n))"),
        'cat <<E\n${A:-"}\nE\ngit push\ncat <<E\n"}\nE',
        "cat <<E\na\\\nE\ncat <<'X'\nE\ngit push\nX",
        *("! ! git push", "time ! git push", "! { git push; }", "time { git push\n}"),
        *("! if git push; then ls; fi", "time for x in a; do git push; done"),
        *("! x=1 2>&1 git push", "! ! x=1 2>&1 git push"),
        *("ls {x['$(git push)']}</dev/null", "ls {x['`git push`']}\\\n>&1", "! ls {x[y]}<<<z"),
        *("ls \\ #; git push", "ls \\\t#; git push", "ls <x \\ #\\\n; git push"),
        "ls <<< [ {x['`git push`']}>&1",
        *("ls {PATH}<x", "ls 2>&1 {IFS}>|x", "ls $'a' {PATH}<&1", 'echo "$(ls {PATH}<x)"'),
        *("x=$ git push", "x=\\  git push", "x=#'$' git push", "x=*{a,a}\\( git push"),
    ],
)
def test_what_bash_reads_otherwise_is_not_known(line: str) -> None:
    assert any(command.known == 0 for command in shell_commands(line))


@pytest.mark.parametrize(
    "line",
    [
        *("cat <<'E'\n`x` $(y) ${z}\nE", "cat <<E\na \\`x\\`\nE", "cat <<-E\n\tx\n\tE"),
        *("cat <<E\na \\\nb\nE", "cat <<\\E\n$(x)\nE", "cat <<'E'\na\\\nE", "cat <<E\nE"),
        *("echo '`x` $(y)'", "echo \\`x\\`", 'echo "\\$(x) \\`y\\`"', "ls # `x` $(y)"),
        *("echo $'`x`'", 'echo "a <(b)"', "grep 'a$(b)' c", "echo ${A:-'a b'} \"${A:-b c}\""),
    ],
)
def test_a_substitution_that_bash_does_not_make_is_text(line: str) -> None:
    assert all(command.known > 0 for command in shell_commands(line))


def test_words_that_are_made_while_it_runs_are_not_certain() -> None:
    [command] = shell_commands('git $WHAT "$WHERE" now')
    assert (command.text, command.text[: command.known]) == ("git $ $ now", "git")


@pytest.mark.parametrize(
    "line", ["git pus[h] x", "git {fd}>f push", "git -c alias.x=push x", "git -c $A x", "xargs git"]
)
def test_a_subcommand_that_is_made_while_it_runs_is_not_certain(line: str) -> None:
    assert any(one.text[: one.known] == "git" for one in shell_commands(line))


def test_a_redirection_to_a_file_counts_and_one_to_nowhere_does_not() -> None:
    assert texts("ls > out.txt 2>&1 2>/dev/null >> $X") == ["ls", "> out.txt", "> $"]


def test_only_what_surely_changes_nothing_is_read_only() -> None:
    for line in ("ls -l", "git status", "cat $FILE", "git log --oneline"):
        assert all(is_read_only(one.text, one.known) for one in shell_commands(line)), line
    for line in ("lsof", "git push", "git log --output=x", "git $X", "find . -delete", "> x"):
        assert not any(is_read_only(one.text, one.known) for one in shell_commands(line)), line


@pytest.mark.hostile
@pytest.mark.parametrize(
    "line",
    [
        *("GIT_EXTERNAL_DIFF='rm x' git diff", "PATH=/w:$PATH; ls", "LD_PRELOAD=./e.so ls"),
        *("env PATH=. ls", "PATH+=:. ls", "export PATH=.; ls", "IFS=/ ls"),
        *("git -c core.fsmonitor='rm x' status", "git --exec-path=. status"),
        *("[ -v 'a[$(rm x)]' ]", "test -v 'a[$(rm x)]'", "printf -v 'a[$(rm x)]' 1"),
        *("[[ 'a[$(rm x)]' -eq 1 ]]", "x='a[$(rm y)]'; echo $((x))", "echo ${x:'a[$(rm y)]'}"),
        *("echo ${a[$x]}", f"[ {'x ' * 3000} -v $y ]"),
        *("echo x >&f", "cat <>f", "ls >& f"),
        *("x='a[$(rm y)]'; echo ${!x}", "x='$(rm y)'; echo ${x@P}", "x='$(rm y)'; echo ${x@\\\nP}"),
        *("x='a[$(rm y)]'; b[x]=1; ls", "x='a[$(rm y)]'; b=([x]=1); ls"),
        *("for PATH in /w; do ls; done", "select IFS in x; do ls; done"),
        *("HOME=/w git status", "XDG_CONFIG_HOME=/w git log", "git --git-dir=x status"),
        *("PS4='$(rm x)'; ls", "PROMPT_COMMAND='rm x'; ls", "GCONV_PATH=. ls"),
        *("printf -$v 'a[$(rm x)]' 1", "test $o 'a[$(rm x)]'", "[ ! $o $x ]"),
        *("printf '%3s%n' '' PATH", "printf -- '%*d%n' 3 1 PATH", "printf %3s%'hn' '' IFS"),
        *("printf '%3s%%%n' '' PATH", "builtin printf '   %n' PATH"),
        *("[ x > f ]", "[ x>f ]", "[ -f x >>f -o y ]", "[ x = y >'f' ]", "[ x >= f ]", "[ x >$f ]"),
        *(
            "[ $x ]",
            "[ $x = y ]",
            "[ ! -f $x ]",
            "[ a = $x ]",
            "[ * ]",
            "[ x == b* ]",
            "[ x = a?b ]",
        ),
        *("test $x", "test a = $x", "test *", "test -? 'a[$(rm x)]'", "timeout 5 test $x"),
        *("printf $x", "printf *", "printf \"$x\" '='", 'printf -- "$x" PATH', "printf %s $x"),
        *("file -C -m x", "file --comp", "file $x", "file 2>&1 -C", "command time -oout ls"),
    ],
)
def test_what_says_what_runs_is_not_read_only(line: str) -> None:
    assert not all(is_read_only(one.text, one.known) for one in shell_commands(line))


@pytest.mark.parametrize(
    "line",
    [
        *("ls 2>&1", "ls >&2", "echo $((1 + 2))", "[ -f x ] && cat x", "[[ -n $x ]] && ls"),
        *("file -b x.png", '[ "$x" = y ]', '[ "$x" -gt 1 -a "$y" ]', '[ ! -f "$x" ]'),
        *('printf "$x"', "printf '%s\\n' \"$x\"", "[ $? -eq 0 ] && ls", "[ x < f ]; ls"),
        *("[[ a > b ]]; ls", "echo $((2 > 1)); ls", "[ x > /dev/null ]; ls", "test 'a*' = \"$x\""),
        *("a=(b c); ls", "a[0]=x; ls", "for x in 1; do ls; done", "ls *.py", "echo ${x@Q}"),
        *(
            "ls # a comment",
            "# one\nls",
            "ls a\\\\ # b; rm x",
            "ls \\\n -l",
            "echo `ls`",
            "timeout 5 nice ls",
        ),
        *("printf '%s\\n' x", "printf '100%%\\n'", "printf '%5.2f%%, n' 1", "echo ${x}</dev/null"),
        *("echo ${x:-y}", "echo ${x%%:*}", "echo ${#x}", "FOO=1 ls", "printf '%s -v' x"),
    ],
)
def test_what_only_looks_like_it_is_read_only(line: str) -> None:
    assert all(is_read_only(one.text, one.known) for one in shell_commands(line))


def test_git_with_a_setting_is_still_the_command_that_it_runs() -> None:
    assert texts("git -c a=b push") == ["git push", "git -c a=b"]


@pytest.mark.hostile
@pytest.mark.parametrize(
    "unit",
    [
        *("(", "a ", "a;", "<<A ", "a[", "$(", '"$(', "`", "${a:-", "case x in ", "a'b'", "a\n"),
        *("{a,", "bash -c ", "eval ", "sudo ", "find -exec ", "a|", "((", "\\", "a=b ", "é", "\0"),
        *("[ a > a ", "[ a ];", "[ $( [ "),
    ],
)
def test_a_long_command_line_takes_little_time_and_no_stack(unit: str) -> None:
    began = time.process_time()
    shell_commands(unit * (LONGEST // len(unit.encode())))
    assert time.process_time() - began < 5
