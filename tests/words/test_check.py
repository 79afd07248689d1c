"""Unit tests of the check of words: planted phrases are found, code and quoted material are not."""

import unittest

import check


def phrases(path: str, text: str) -> list:
    return [(finding.line, finding.phrase) for finding in check.check_text(path, text)]


class Planted(unittest.TestCase):
    def test_phrases_are_found_in_comments_docs_and_strings(self) -> None:
        text = "/// Answers whoever asks.\nfn a() {\n    // It is told of ours.\n    let s = \"comes to nothing\";\n}\n"
        found = [phrase for _, phrase in phrases("a.rs", text)]
        for phrase in ("whoever", "It is told", "of ours", "comes to nothing"):
            self.assertIn(phrase, found)

    def test_a_phrase_is_found_across_the_end_of_a_line(self) -> None:
        self.assertIn((2, "is told"), phrases("a.rs", "// The caller\n// is\n// told so.\n"))

    def test_common_words_are_found_in_prose_alone(self) -> None:
        self.assertEqual([(1, "stands")], phrases("a.rs", '// It stands here.\nlet s = "a house stands";\n'))
        self.assertEqual([(1, "Nobody")], phrases("a.rs", '// Nobody waits.\nlet s = "Nobody has signed in.";\n'))
        self.assertEqual([], phrases("a.rs", "// `API` stands for an interface, as everybody understands.\n"))

    def test_identifiers_are_found_in_code_alone(self) -> None:
        text = "impl A {\n    pub fn of(x: u8) {}\n    fn of_code() {}\n    async fn told<T>() {}\n    fn who_whoever_is() {}\n}\nenum Fate {}\n"
        self.assertEqual([2, 3, 4, 5, 7], [line for line, _ in phrases("a.rs", text)])
        self.assertEqual([], phrases("a.rs", 'if let Some(of) = x { of.kept() }\nfn offer() {}\nlet s = "fn of(";\n'))

    def test_glossary_words_are_found(self) -> None:
        for word in ("a mock", "the double", "a kill test", "drawn by chance", "the initial password", "the help desk", "a tenant"):
            self.assertEqual(1, len(phrases("a.md", f"This is {word}.\n")) or len(phrases("a.rs", f"// This is {word}.\n")), word)

    def test_each_kind_of_file_is_read(self) -> None:
        for path, text in (
            ("a.md", "Whoever reads.\n"),
            ("a.yaml", "a: 1 # whoever\n"),
            ("a.yaml", "description: nobody\n"),
            ("a.toml", "# nobody\n"),
            ("a.html", "<p>whoever</p>"),
            ("a.html", "{# nobody #}"),
            ("a.js", "// nobody\n"),
            ("a.js", "say('whoever');\n"),
            ("a.css", "/* nobody */\n"),
            ("a.py", "# nobody\n"),
            (".ci/run", "# nobody\n"),
        ):
            self.assertEqual(1, len(phrases(path, text)), (path, text))

    def test_reasons_of_lints_are_prose(self) -> None:
        self.assertEqual([(1, "nobody")], phrases("a.rs", '#[expect(x, reason = "nobody waits")]\n'))


class Docs(unittest.TestCase):
    def test_a_doc_comment_ends_with_a_full_stop(self) -> None:
        self.assertEqual(1, len(phrases("a.rs", "/// Returns the number\nfn a() {}\n")))
        self.assertEqual([], phrases("a.rs", "/// Returns the number.\nfn a() {}\n"))
        self.assertEqual([], phrases("a.rs", "//! The parts:\n//!\n//! | a | b |\n//! |---|---|\n//!\n//! - one\n//!   more\n"))

    def test_a_doc_comment_begins_with_a_capital_letter(self) -> None:
        self.assertEqual(1, len(phrases("a.rs", "/// returns the number.\nfn a() {}\n")))

    def test_a_fragment_is_found(self) -> None:
        for text in ("Of the same.", "Since then.", "As before.", "Whose it is.", "What goes out.", "In base64url.", "Absent where refused."):
            self.assertEqual(1, len(phrases("a.rs", f"/// {text}\nfn a() {{}}\n")), text)

    def test_a_clause_before_a_sentence_is_no_fragment(self) -> None:
        for text in ("When the lease ends, the next delivery takes it.", "Whether a browser keeps the token.", "How long to wait."):
            self.assertEqual([], phrases("a.rs", f"/// {text}\nfn a() {{}}\n"), text)


class Untouched(unittest.TestCase):
    def test_code_spans_addresses_and_blocks_are_left_alone(self) -> None:
        self.assertEqual([], phrases("a.md", "Use `whoever`, see https://a.example/nobody and [this](nobody.md).\n```\nnobody\n```\n"))

    def test_the_tables_of_a_glossary_name_the_words_to_avoid(self) -> None:
        self.assertEqual([(3, "nobody")], phrases("docs/glossary.md", "| fake | mock |\n\nWhere nobody looks.\n"))
        self.assertEqual([(1, "mock")], phrases("docs/other.md", "| fake | mock |\n"))

    def test_strings_and_lifetimes_of_rust_are_told_apart(self) -> None:
        text = "fn a<'a>(x: &'a str) -> char { '\"' }\nlet s = r#\"// nobody \"# ;\nlet t = '\\''; // plain\nlet u = \"https://nobody\";\n"
        self.assertEqual([], phrases("a.rs", text))

    def test_scripts_with_patterns_are_split(self) -> None:
        self.assertEqual([(2, "nobody")], phrases("a.js", "const a = b.replace(/[\"'`]/g, '');\n// nobody\n"))

    def test_files_of_others_are_skipped(self) -> None:
        for path in ("Cargo.lock", "LICENSE", "shared/domain/src/password/common.txt", "a/fixtures/b.json", "a/snapshots/b.snap", "tests/words/check.py"):
            self.assertTrue(check.SKIPPED.search(path), path)

    def test_exceptions_need_a_reason(self) -> None:
        allowed = check.Allowed("a.rs | whoever | a quotation\nb.rs | whoever\n")
        self.assertTrue(allowed.covers(check.Finding("a.rs", 1, "Whoever", "")))
        self.assertEqual(1, len(allowed.problems))
        self.assertEqual([], allowed.unused(set()))


if __name__ == "__main__":
    unittest.main()
