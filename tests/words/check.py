#!/usr/bin/env python3
"""Checks that comments, documents, messages and names are plain English.

Reads every tracked file of the repository, or only the paths that are given, and prints one line for each finding:

    path:line: phrase — say instead …

Rust, JavaScript and CSS are split into code, comments and string literals; YAML, TOML and shell into text and comments; HTML and
Markdown into text, without tags, code and addresses. Each rule below names the kinds of text that it applies to, so that code such
as `if let Some(of)` is never a finding. A quotation, or a word that a standard prescribes, is listed in `allowed.txt`.

Exits with 1 when there are findings. Options: `--rules`, `--self-test`, `--subjects` (commit subjects alone).
"""

import pathlib
import re
import subprocess
import sys
import unittest
from typing import Iterator, NamedTuple

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent

# Subjects of commits after this one have at most SUBJECT characters. A clone without it, such as a shallow one, skips that check.
SUBJECTS_SINCE = "bced6c0dd4f8cf965d2afeb3ab07578954eba767"
SUBJECT = 72

# Files whose text is not ours, or that quote the phrases on purpose.
SKIPPED = re.compile(
    r"(^|/)(fixtures|snapshots|corpus|node_modules|target)/"
    r"|^tests/words/"
    r"|(^|/)(LICENSE|.*\.license|Cargo\.lock|package-lock\.json|common\.txt|phrases\.txt)$"
)

COMMENT, DOC, TEXT, STRING, CODE = "comment", "doc", "text", "string", "code"
PROSE = {COMMENT, DOC, TEXT}
EVERYWHERE = PROSE | {STRING}


class Rule(NamedTuple):
    """A phrase, where it is banned, and what to write instead."""

    pattern: re.Pattern
    kinds: set
    instead: str
    # The phrase is fine in a line that has this.
    unless: str


def rule(pattern: str, kinds: set, instead: str, unless: str = "") -> Rule:
    # A space in a pattern also matches the end of a line.
    return Rule(re.compile(pattern.replace(" ", r"\s+"), 0 if kinds == {CODE} else re.IGNORECASE), kinds, instead, unless)


NAME_IT = "name the actor: the caller, the customer, the operator, the test"
RANDOM = "seed, random number generator, at random"

RULES = [
    # english.md, rule 3 and the list of its check.
    rule(r"\bwho(?:so|m)?ever\b", EVERYWHERE, NAME_IT),
    rule(r"\b(?:of|than) (?:ours|theirs|hers)\b", EVERYWHERE, "“our …”, “their …”, or name the owner"),
    rule(r"\bof (?:its|their|his|her|our|your) own making\b", PROSE, "“its own …”"),
    rule(r"\b(?:what|that|which|who|it|one) (?:is|are) none\b|\bis none\b", EVERYWHERE, "“is not a …”, “there is no …”, “is absent”"),
    rule(r"\b(?:it|he|she|one|who) (?:is|was) told\b(?! apart)", EVERYWHERE, "“learns”, “receives”, “gets the answer …”"),
    rule(r"\b(?:is|are|was|were|been|being) told\b(?! apart)", PROSE, "“learns”, “receives”, “gets the answer …”, “is configured”"),
    rule(r"\b(?:comes?|came|coming) to nothing\b", EVERYWHERE, "“fails”, “has no effect”"),
    rule(r"\b(?:somebody|nobody)\b", PROSE, NAME_IT),
    rule(r"\bstands?\b(?! (?:for|in for|out|alone|by|up|still)\b)(?<!under)", PROSE, "“is”, “appears”, “is stored”"),
    rule(r"\b(?:comes|came) to\b(?! (?:the|a|an) (?:page|portal|end|halt|stop)\b)", PROSE, "“results in”, “reaches”, “amounts to”, “does”"),
    rule(r"\bsince when\b", PROSE, "“When … began”, “The time from which …”"),
    rule(r"\b(?:as it|as they) (?:is|are) (?:kept|spoken|said|told)\b", PROSE, "“The stored form …”, “The JSON form …”"),
    rule(r"\bhow-manieth\b", PROSE, "“the number of the …”"),
    rule(r"\bgo(?:es)? on (?:into|at|after)\b|\bgoing on (?:into|at|after)\b", PROSE, "“continues with”, “proceeds to”"),
    rule(r"\bas good as (?:none|lost|nothing)\b", PROSE, "“has no effect”, “counts as …”"),
    # english.md, rule 1 and the glossary: the words that are safe to ban.
    rule(r"\b(?:a|an|the|our|their|this|that|each|every|SES|AWS|test|trait) doubles?\b(?! (?:quot|click|spac|slash|dash|hash|submi))", PROSE, "“fake”"),
    rule(r"\bmock(?:s|ed|ing)?\b", PROSE, "“fake”"),
    rule(r"\bkill (?:test|run|stage|schedule|experiment)s?\b|--only kills\b", EVERYWHERE, "“crash test”"),
    rule(r"\b(?:by|of|from|the|this|that|a|same|with|drawn by) chance\b(?! (?:to|of|that)\b)|^\W*chance\b", {COMMENT, DOC}, RANDOM),
    rule(r"(?<!<)\btenants?\b", PROSE, "“company”", unless=r"Entra|Microsoft|Azure|Auth0"),
    rule(r"\bfirst admin\b", PROSE, "“service administrator”"),
    rule(r"\binitial passwords?\b", PROSE, "“temporary password”"),
    rule(r"\bhelp ?desk\b", PROSE, "“support desk”"),
    rule(r"\baudit trail\b", {COMMENT, DOC}, "“history”"),
    rule(r"\bciphertexts?\b", PROSE, "“sealed password”"),
    # english.md, rule 5.
    rule(r"\bfn\s+(?:of|of_[a-z0-9_]+|is_of|told|kept|go_on|come_to|came_to|comes_to|said|seen_by|as_it_is)\s*[(<]", {CODE},
         "a name by the Rust API guidelines: new, from_*, parse, to_*, as_*, is_*, or a verb"),
    rule(r"\bfn\s+(?:[a-z0-9]+_)*(?:who(?:so|m)?ever|somebody|nobody|of_ours|is_told|are_told|comes_to|came_to|stands)(?:_[a-z0-9]+)*\s*[(<]", {CODE},
         "a plain sentence that names the actor"),
    rule(r"\b(?:struct|enum|trait|type|union)\s+(?:Told|Kept|Seen|Said|Fate|Chance|Double|Whoever|Somebody|Nobody|Among|Apart)\b", {CODE},
         "a noun that says what the value is"),
    rule(r"\bmod\s+(?:chance|double|told|kept)\b", {CODE}, "a noun of the glossary"),
]

# First words that make a doc comment's first sentence a fragment. "Whether …", "How long …" and "Why …" are idiomatic.
FRAGMENT = re.compile(
    r"(?:Of|Since|As|Those|That of|Who|Whose|Whom|Absent|Also|And|Or|But|So|By|To|Over|Under|Nor|Tried|Said|Told|Kept|Up|Out|Off"
    r"|Again|In|On|At|With|Without|From|For|Into|Among|Beside|After|Before|Where|When (?:it|they|he|she)|While|What|Whatever|Whichever"
    r"|It|They|He|She|May|Not|Longer)\b"
)
# Fragments that introduce a whole sentence: "For each function, the test …", "When the lease ends, …".
CLAUSE = re.compile(r"[^.;:]{3,}, (?:(?:the|a|an|each|every|no|its|all|it|this|one|two|both|only)\b)")
FRAGMENT_INSTEAD = "begin with a noun or a verb: “The …”, “A customer's …”, “Returns …”"
NO_STOP_INSTEAD = "end a doc comment's paragraphs with a full stop, or with a colon before a list"
SMALL_INSTEAD = "begin a doc comment with a capital letter"


class Piece(NamedTuple):
    """A run of text of one kind, with the line that each of its lines has in the file."""

    kind: str
    text: str
    lines: list


class Finding(NamedTuple):
    path: str
    line: int
    phrase: str
    instead: str


# ---- Splitting files ------------------------------------------------------------------------------------------------------

RUST = re.compile(
    r"""(?P<line>//[^\n]*)
      | (?P<block>/\*)
      | (?P<raw>\b(?:br|cr|r)(?P<hashes>\#*)".*?"(?P=hashes))
      | (?P<string>(?:\bb|\bc)?"(?:[^"\\]|\\.)*")
      | (?P<char>\bb?'(?:[^'\\\n]|\\[^\n]{1,10}?)'|'(?:[^'\\\n]|\\(?:u\{[0-9a-fA-F_]+\}|x[0-9a-fA-F]{2}|.))')
    """,
    re.VERBOSE | re.DOTALL,
)

SCRIPT = re.compile(
    r"""(?P<line>//[^\n]*)
      | (?P<block>/\*)
      | (?P<regex>(?<=[=(,:\[!&|?{};])\s*/(?![/*])(?:[^/\\\n\[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/[a-z]*)
      | (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`)
    """,
    re.VERBOSE | re.DOTALL,
)

STYLE = re.compile(r"(?P<block>/\*)|(?P<string>\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*')", re.DOTALL)


def block_end(text: str, start: int, nested: bool) -> int:
    """Returns the end of the block comment that begins at `start`."""
    depth, at = 1, start + 2
    while at < len(text) and depth:
        if nested and text.startswith("/*", at):
            depth, at = depth + 1, at + 2
        elif text.startswith("*/", at):
            depth, at = depth - 1, at + 2
        else:
            at += 1
    return at


def blank(text: str) -> str:
    """Replaces everything but line ends by spaces, so that offsets stay what they are."""
    return re.sub(r"[^\n]", " ", text)


def split_code(text: str, lexer: re.Pattern, rust: bool = False) -> Iterator[Piece]:
    """Splits a program into its code (with the rest blanked), comments and string literals."""
    code, comments, at = [], [], 0
    pieces = []
    while match := lexer.search(text, at):
        code.append(text[at : match.start()])
        end = block_end(text, match.start(), rust) if match.lastgroup == "block" else match.end()
        token, line = text[match.start() : end], text.count("\n", 0, match.start()) + 1
        groups = match.groupdict()
        if groups.get("line"):
            alone = not text[text.rfind("\n", 0, match.start()) + 1 : match.start()].strip()
            comments.append((line, token, alone))
        elif groups.get("block"):
            body = re.sub(r"(?m)^\s*\*?", "", token[2:-2])
            kind = DOC if rust and token[2:3] in ("*", "!") and len(token) > 4 else COMMENT
            pieces.append(Piece(kind, body.lstrip("*!"), list(range(line, line + body.count("\n") + 1))))
        elif groups.get("string") or groups.get("raw"):
            reason = rust and re.search(r"\breason\s*=\s*$", text[max(0, match.start() - 20) : match.start()])
            pieces.append(Piece(COMMENT if reason else STRING, token, list(range(line, line + token.count("\n") + 1))))
        code.append(blank(token))
        at = end
    code.append(text[at:])
    yield Piece(CODE, "".join(code), list(range(1, text.count("\n") + 2)))
    yield from pieces
    yield from join_comments(comments, rust)


def join_comments(comments: list, rust: bool) -> Iterator[Piece]:
    """Joins line comments that follow each other, so that a phrase is found across a line's end."""
    open_kind, texts, lines = None, [], []
    for line, token, alone in comments:
        marker = re.match(r"//[/!]?", token).group() if rust and not token.startswith("////") else "//"
        follows = lines and lines[-1] + 1 == line and open_kind == marker and alone
        if not follows and lines:
            yield Piece(DOC if open_kind != "//" else COMMENT, "\n".join(texts), lines)
        if not follows:
            texts, lines = [], []
        open_kind = marker
        texts.append(token[len(marker) :])
        lines.append(line)
    if lines:
        yield Piece(DOC if open_kind != "//" else COMMENT, "\n".join(texts), lines)


def split_hash(text: str, kind: str) -> Iterator[Piece]:
    """Splits YAML, TOML or shell: comments begin with `#` at the beginning or after a space, outside of quotes; the rest is `kind`."""
    rest, comments, lines = [], [], []

    def flush() -> Iterator[Piece]:
        if lines:
            yield Piece(COMMENT, "\n".join(comments), list(lines))
            comments.clear()
            lines.clear()

    for number, row in enumerate(text.split("\n"), 1):
        match = re.match(r"""((?:[^#"'\n]|"(?:[^"\\]|\\.)*"|'[^']*'|(?<=\S)['"#])*?)(?:^|(?<=\s))#(.*)$""", row)
        if match and not row.startswith("#!"):
            rest.append(match.group(1))
            if match.group(1).strip():
                yield from flush()
            comments.append(match.group(2))
            lines.append(number)
        else:
            yield from flush()
            rest.append(row)
    yield from flush()
    yield Piece(kind, "\n".join(rest), list(range(1, len(rest) + 1)))


def split_html(text: str) -> Iterator[Piece]:
    """Splits a template: `<!-- -->` and `{# #}` are comments, tags and `{{ }}`, `{% %}` are dropped."""
    for match in re.finditer(r"<!--(.*?)-->|\{#(.*?)#\}", text, re.DOTALL):
        body = match.group(1) or match.group(2) or ""
        line = text.count("\n", 0, match.start()) + 1
        yield Piece(COMMENT, body, list(range(line, line + body.count("\n") + 1)))
    rest = re.sub(r"<!--.*?-->|\{#.*?#\}|<script.*?</script>|<style.*?</style>|\{\{.*?\}\}|\{%.*?%\}|<[^>]*>",
                  lambda match: blank(match.group()), text, flags=re.DOTALL)
    yield Piece(STRING, rest, list(range(1, rest.count("\n") + 2)))


def split_markdown(text: str, glossary: bool) -> Iterator[Piece]:
    """Takes the text of a document, without code blocks, and without the tables of a glossary, which name the words to avoid."""
    if glossary:
        text = re.sub(r"(?m)^\|.*$", lambda match: blank(match.group()), text)
    text = re.sub(r"(?ms)^[ ]{0,3}(```|~~~).*?^[ ]{0,3}\1[^\n]*$", lambda match: blank(match.group()), text)
    yield Piece(TEXT, text, list(range(1, text.count("\n") + 2)))


def split_python(text: str) -> Iterator[Piece]:
    """Takes the comments and docstrings of a Python program."""
    for match in re.finditer(r'(?m)(?:^|(?<=\s))#(?!!)([^\n]*)|"""(.*?)"""', text, re.DOTALL):
        body = match.group(1) or match.group(2) or ""
        line = text.count("\n", 0, match.start()) + 1
        yield Piece(COMMENT, body.split("\n")[0] if match.group(1) else body, list(range(line, line + body.count("\n") + 1)))


def split(path: str, text: str) -> Iterator[Piece]:
    """Splits a file by its name; yields nothing for a kind of file that is not checked."""
    name = path.rsplit("/", 1)[-1]
    ending = name.rsplit(".", 1)[-1] if "." in name else ""
    if ending == "rs":
        yield from split_code(text, RUST, rust=True)
    elif ending in ("js", "mjs", "ts"):
        yield from split_code(text, SCRIPT)
    elif ending == "css":
        yield from split_code(text, STYLE)
    elif ending in ("yaml", "yml"):
        # Descriptions are documents.
        yield from split_hash(text, TEXT)
    elif ending in ("toml", "sh") or path == ".ci/run":
        yield from split_hash(text, STRING)
    elif ending in ("html", "svg"):
        yield from split_html(text)
    elif ending == "md":
        yield from split_markdown(text, name == "glossary.md")
    elif ending == "py":
        yield from split_python(text)


# ---- Checking ---------------------------------------------------------------------------------------------------------------

NOT_PROSE = re.compile(r"(`+)[^`]+?\1|\bhttps?://[^\s)>\"]+|\]\([^)\s]*\)|\[[^\]]*::[^\]]*\]")


def without_code(text: str) -> str:
    """Blanks code spans, addresses and link targets."""
    return NOT_PROSE.sub(lambda match: blank(match.group()), text)


def check_phrases(path: str, piece: Piece) -> Iterator[Finding]:
    text = piece.text if piece.kind == CODE else without_code(piece.text)
    for each in RULES:
        if piece.kind not in each.kinds:
            continue
        for match in each.pattern.finditer(text):
            line = text[text.rfind("\n", 0, match.start()) + 1 :].split("\n", 1)[0]
            if each.unless and re.search(each.unless, line):
                continue
            offset = text.count("\n", 0, match.start())
            yield Finding(path, piece.lines[min(offset, len(piece.lines) - 1)], " ".join(match.group().split()), each.instead)


def paragraphs(piece: Piece) -> Iterator[tuple]:
    """Yields the prose paragraphs of a doc comment with their first and last line: no lists, tables, headings or code."""
    fenced, rows, numbers = False, [], []
    for row, number in zip(piece.text.split("\n") + [""], piece.lines + [0]):
        fence = re.match(r"\s*(```|~~~)", row)
        skipped = fenced or fence or re.match(r"\s*(?:[-*+] |\d+[.)] |\||#|>|\[[^\]]+\]:)|     *\S", row)
        if fence:
            fenced = not fenced
        listed = rows and rows[0] is None
        if not row.strip():
            if rows and not listed:
                yield " ".join(rows), numbers[0], numbers[-1]
            rows, numbers = [], []
        elif skipped and not rows:
            rows = [None]
        elif skipped:
            if not listed:
                yield " ".join(rows), numbers[0], numbers[-1]
            rows, numbers = [None], []
        elif not listed:
            rows.append(row.strip())
            numbers.append(number)


def check_doc(path: str, piece: Piece) -> Iterator[Finding]:
    found = list(paragraphs(piece))
    for text, _, last in found:
        # A label such as "**Route**: `GET /`" and an address need none.
        if not re.search(r"[.:?!…](?:[)\]”\"*_`]*)$|<https?://\S+>$", text) and not text.startswith("**"):
            yield Finding(path, last, text[-40:], NO_STOP_INSTEAD)
    if not found or found[0][1] != piece.lines[0]:
        return
    text, line, _ = found[0]
    # Names such as argon2id and cargo-lambda keep their small letter.
    if re.match(r"[a-z]+(?:[ ,.]|$)", text):
        yield Finding(path, line, text[:40], SMALL_INSTEAD)
    first = re.split(r"(?<=[.:?!])\s", text)[0]
    if FRAGMENT.match(first) and not CLAUSE.match(first):
        yield Finding(path, line, first[:60], FRAGMENT_INSTEAD)


def check_text(path: str, text: str) -> list:
    """Returns the findings of one file, in the order of its lines."""
    findings = []
    for piece in split(path, text):
        findings.extend(check_phrases(path, piece))
        if piece.kind == DOC and path.endswith(".rs"):
            findings.extend(check_doc(path, piece))
    return sorted(set(findings), key=lambda finding: (finding.line, finding.phrase))


class Allowed:
    """The exceptions: lines of a path, a phrase and a reason, divided by ` | `."""

    def __init__(self, text: str) -> None:
        self.entries, self.problems, self.used = [], [], set()
        for number, row in enumerate(text.splitlines(), 1):
            if not row.strip() or row.startswith("#"):
                continue
            parts = [part.strip() for part in row.split(" | ")]
            if len(parts) == 3 and all(parts):
                self.entries.append((parts[0], parts[1].lower()))
            else:
                self.problems.append(f"tests/words/allowed.txt:{number}: an entry is a path, a phrase and a reason, divided by “ | ”")

    def covers(self, finding: Finding) -> bool:
        entry = (finding.path, finding.phrase.lower())
        if entry in self.entries:
            self.used.add(entry)
            return True
        return False

    def unused(self, paths: set) -> list:
        return [entry for entry in self.entries if entry not in self.used and (not paths or entry[0] in paths)]


def tracked(arguments: list) -> list:
    """Returns the tracked files below the paths that are given, or all of them."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--", *arguments]
    names = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\0")
    return [name for name in names if name and not SKIPPED.search(name) and (ROOT / name).is_file()]


def check_subjects() -> list:
    """Returns the commit subjects that are too long, in a clone that has the commit from which they count."""
    known = subprocess.run(["git", "-C", str(ROOT), "cat-file", "-e", SUBJECTS_SINCE + "^{commit}"], capture_output=True, check=False)
    if known.returncode != 0:
        return []
    command = ["git", "-C", str(ROOT), "log", "--no-merges", "--format=%h %s", SUBJECTS_SINCE + "..HEAD"]
    rows = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    split_rows = [row.split(" ", 1) for row in rows]
    return [f"commit {name}: {subject} — at most {SUBJECT} characters" for name, subject in split_rows if len(subject) > SUBJECT]


def self_test() -> bool:
    """Runs the unit tests beside this file: a check that finds nothing must be shown to find something."""
    suite = unittest.defaultTestLoader.discover(str(HERE), pattern="test_check.py", top_level_dir=str(HERE))
    result = unittest.TextTestRunner(stream=sys.stderr, verbosity=0).run(suite)
    return result.wasSuccessful() and result.testsRun > 0


def main(arguments: list) -> int:
    if "--rules" in arguments:
        for each in RULES:
            print(f"{'/'.join(sorted(each.kinds))}: {each.pattern.pattern} — {each.instead}")
        return 0
    if not self_test():
        return 1
    if "--self-test" in arguments:
        return 0
    problems = check_subjects()
    if "--subjects" not in arguments:
        files = tracked(arguments)
        allowed = Allowed((HERE / "allowed.txt").read_text(encoding="utf-8"))
        problems += allowed.problems
        for name in files:
            try:
                text = (ROOT / name).read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue
            for found in check_text(name, text):
                if not allowed.covers(found):
                    problems.append(f"{found.path}:{found.line}: {found.phrase} — say instead: {found.instead}")
        for path, phrase in allowed.unused(set(files) if arguments else set()):
            problems.append(f"tests/words/allowed.txt: “{phrase}” is no longer in {path}: remove the entry")
    print(*problems, sep="\n", end="\n" if problems else "")
    print(f"words: {len(problems)} findings", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
