//! Converts YAML to JSON, with CloudFormation tags in their long forms.

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};
use serde_json::{Map, Value, json};

use super::Error;

/// Parses one YAML document. `!Ref` and `!Condition` become objects with one field of the same name; any other tag, `!X`, becomes an
/// object with the field `Fn::X`. A plain scalar is null, a Boolean or a number if it is valid JSON for it, otherwise text. Anchors
/// and duplicate keys are errors.
pub fn from_yaml(text: &str) -> Result<Value, Error> {
    let mut reader = Reader { events: Parser::new_from_str(text) };
    let mut documents = Vec::new();
    loop {
        match reader.next()? {
            Event::DocumentStart(_) => documents.push(reader.node()?),
            Event::StreamEnd => break,
            _ => {}
        }
    }
    match (documents.pop(), documents.len()) {
        (Some(document), 0) => Ok(document),
        _ => Err(Error::new("there must be exactly one YAML document")),
    }
}

struct Reader<E> {
    events: E,
}

impl<'a, E: Iterator<Item = Result<(Event<'a>, saphyr_parser::Span), saphyr_parser::ScanError>>> Reader<E> {
    fn next(&mut self) -> Result<Event<'a>, Error> {
        let event = self.events.next().ok_or_else(|| Error::new("the YAML ends unexpectedly"))?;
        event.map(|(event, _)| event).map_err(|error| Error::new(format!("not YAML: {error}")))
    }

    fn node(&mut self) -> Result<Value, Error> {
        let event = self.next()?;
        self.node_from(event)
    }

    fn node_from(&mut self, event: Event<'a>) -> Result<Value, Error> {
        match event {
            Event::Scalar(text, style, 0, tag) => tagged(tag.as_deref(), scalar(&text, style)),
            Event::SequenceStart(0, tag) => {
                let nodes = self.sequence()?;
                tagged(tag.as_deref(), Value::Array(nodes))
            }
            Event::MappingStart(0, tag) => {
                let fields = self.mapping()?;
                tagged(tag.as_deref(), Value::Object(fields))
            }
            other => Err(Error::new(format!("unsupported YAML: {other:?}"))),
        }
    }

    fn sequence(&mut self) -> Result<Vec<Value>, Error> {
        let mut nodes = Vec::new();
        loop {
            match self.next()? {
                Event::SequenceEnd => return Ok(nodes),
                event => nodes.push(self.node_from(event)?),
            }
        }
    }

    fn mapping(&mut self) -> Result<Map<String, Value>, Error> {
        let mut fields = Map::new();
        loop {
            let key = match self.next()? {
                Event::MappingEnd => return Ok(fields),
                Event::Scalar(key, _, 0, None) => key.into_owned(),
                other => return Err(Error::new(format!("a key must be text: {other:?}"))),
            };
            let value = self.node()?;
            if fields.insert(key.clone(), value).is_some() {
                return Err(Error::new(format!("duplicate key {key} in a mapping")));
            }
        }
    }
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    match (style, text) {
        (ScalarStyle::Plain, "" | "~") => Value::Null,
        (ScalarStyle::Plain, text) if !text.starts_with(['"', '[', '{']) => {
            serde_json::from_str(text).unwrap_or_else(|_| text.into())
        }
        _ => text.into(),
    }
}

/// Applies a tag to a value. `!GetAtt Table.Arn` is split into a resource and an attribute, which may itself contain dots.
fn tagged(tag: Option<&Tag>, value: Value) -> Result<Value, Error> {
    let Some(tag) = tag else { return Ok(value) };
    if tag.handle != "!" {
        return Err(Error::new(format!("the tag {tag} is not a CloudFormation tag")));
    }
    let name = match tag.suffix.as_str() {
        name @ ("Ref" | "Condition") => name.to_owned(),
        name => format!("Fn::{name}"),
    };
    let value = match (name.as_str(), value.as_str().and_then(|text| text.split_once('.'))) {
        ("Fn::GetAtt", Some((resource, attribute))) => json!([resource, attribute]),
        _ => value,
    };
    Ok(json!({ name: value }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_become_long_forms_everywhere() {
        let text = "
            plain: [1, 1.5, true, null, text, '1']
            ref: !Ref Table
            attribute: !GetAtt Queue.Nested.Arn
            nested: !Join ['-', [!Ref A, !Sub '${B}-c']]
            if: !If [Given, {a: !Ref A}, !Ref 'AWS::NoValue']
            condition: !Condition Given
            version: 2012-10-17
            200: status
            account: 000000000000
            'Null': nothing
        ";
        let expected = json!({
            "plain": [1, 1.5, true, null, "text", "1"],
            "ref": {"Ref": "Table"},
            "attribute": {"Fn::GetAtt": ["Queue", "Nested.Arn"]},
            "nested": {"Fn::Join": ["-", [{"Ref": "A"}, {"Fn::Sub": "${B}-c"}]]},
            "if": {"Fn::If": ["Given", {"a": {"Ref": "A"}}, {"Ref": "AWS::NoValue"}]},
            "condition": {"Condition": "Given"},
            "version": "2012-10-17",
            "200": "status",
            "account": "000000000000",
            "Null": "nothing",
        });
        assert_eq!(from_yaml(text), Ok(expected));
    }

    #[test]
    fn yaml_that_other_parsers_read_differently_is_refused() {
        for text in ["a: 1\na: 2", "a: 1\n---\nb: 2", "", "a: [", "? [a]\n: 1", "a: !!python/none 1", "a: &b 1\nc: *b"]
        {
            assert!(from_yaml(text).is_err(), "{text}");
        }
    }
}
