//! YAML into JSON, with the tags of CloudFormation in their long forms.

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};
use serde_json::{Map, Value, json};

use super::Error;

/// Reads one document of YAML. `!Ref` and `!Condition` become objects of one field of the same name, any other tag, `!X`, one of the
/// field `Fn::X`. What is written as JSON would write null, a truth value or a number is one, and everything else is text. Anchors,
/// and keys that stand twice in a mapping, are errors.
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
        _ => Err(Error::new("one document of YAML is asked for")),
    }
}

struct Reader<E> {
    events: E,
}

impl<'a, E: Iterator<Item = Result<(Event<'a>, saphyr_parser::Span), saphyr_parser::ScanError>>> Reader<E> {
    fn next(&mut self) -> Result<Event<'a>, Error> {
        let event = self.events.next().ok_or_else(|| Error::new("the YAML ends too early"))?;
        event.map(|(event, _)| event).map_err(|error| Error::new(format!("no YAML: {error}")))
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
            other => Err(Error::new(format!("YAML that is not read here: {other:?}"))),
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
                other => return Err(Error::new(format!("a key is text: {other:?}"))),
            };
            let value = self.node()?;
            if fields.insert(key.clone(), value).is_some() {
                return Err(Error::new(format!("the key {key} stands twice in a mapping")));
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

/// `!GetAtt Table.Arn` names a resource and an attribute, which may have points itself.
fn tagged(tag: Option<&Tag>, value: Value) -> Result<Value, Error> {
    let Some(tag) = tag else { return Ok(value) };
    if tag.handle != "!" {
        return Err(Error::new(format!("the tag {tag} is none of CloudFormation")));
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
    fn tags_become_long_forms_wherever_they_stand() {
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
    fn what_would_be_read_otherwise_elsewhere_is_refused() {
        for text in ["a: 1\na: 2", "a: 1\n---\nb: 2", "", "a: [", "? [a]\n: 1", "a: !!python/none 1", "a: &b 1\nc: *b"]
        {
            assert!(from_yaml(text).is_err(), "{text}");
        }
    }
}
