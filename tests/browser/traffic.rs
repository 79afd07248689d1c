//! Records the network traffic between a page and the product, and drops answers.

use std::{collections::BTreeMap, sync::Mutex};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::{
    devtools::{Event, Events, Tab, text},
    page::Page,
};

/// The requests of one page since the recording began.
pub(crate) struct Traffic {
    /// The origin of the product.
    origin: String,
    events: Mutex<Events>,
    exchanges: Mutex<BTreeMap<String, Exchange>>,
}

/// One request and its answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exchange {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) from_cache: bool,
    pub(crate) headers: Option<Value>,
    /// The size of the uncompressed answer in bytes.
    pub(crate) bytes: i64,
}

impl Traffic {
    /// Starts to record a page's traffic.
    pub(crate) fn record(page: &Page) -> Self {
        Self { origin: page.origin.clone(), events: Mutex::new(page.tab.events()), exchanges: Mutex::default() }
    }

    /// Returns the exchanges so far.
    pub(crate) fn exchanges(&self) -> Vec<Exchange> {
        let (mut events, mut exchanges) = (self.events.lock().unwrap(), self.exchanges.lock().unwrap());
        for Event { method, params } in events.arrived() {
            let id = text(&params["requestId"]);
            if method == "Network.requestWillBeSent" {
                exchanges.entry(id.clone()).or_default();
            }
            let Some(exchange) = exchanges.get_mut(&id) else { continue };
            match method.as_str() {
                "Network.requestWillBeSent" => {
                    exchange.method = text(&params["request"]["method"]);
                    let url = text(&params["request"]["url"]);
                    url.trim_start_matches(&self.origin).clone_into(&mut exchange.path);
                }
                "Network.responseReceived" => {
                    exchange.headers = Some(params["response"]["headers"].clone());
                    exchange.from_cache |= params["response"]["fromDiskCache"] == true;
                }
                "Network.requestServedFromCache" => exchange.from_cache = true,
                "Network.dataReceived" => exchange.bytes += params["dataLength"].as_i64().unwrap_or_default(),
                _ => {}
            }
        }
        exchanges.values().cloned().collect()
    }

    /// Returns the number of times that a click was sent.
    pub(crate) fn clicks(&self) -> usize {
        let is_click = |exchange: &Exchange| exchange.method == "POST" && exchange.path.ends_with("/credentials");
        self.exchanges().into_iter().filter(is_click).count()
    }
}

/// A network fault that drops the answers to requests, which are nevertheless carried out, until [`end`](Self::end) is called.
pub(crate) struct AnswerLoss(Interception);

impl AnswerLoss {
    /// Drops the answers to requests whose address matches the pattern.
    pub(crate) async fn start(page: &Page, pattern: &str) -> Self {
        page.journal.expect("net::ERR_CONNECTION_RESET");
        let lost = json!({ "errorReason": "ConnectionReset" });
        Self(Interception::start(page, pattern, "Response", "Fetch.failRequest", lost).await)
    }

    /// Restores the network.
    pub(crate) async fn end(self) {
        self.0.end().await;
    }
}

/// An answer of something in front of the functions, such as the gateway, in place of the product's.
#[derive(Clone, Copy)]
pub(crate) struct ForeignAnswer {
    pub(crate) status: i64,
    pub(crate) media_type: &'static str,
    pub(crate) body: &'static str,
}

impl ForeignAnswer {
    /// Answers the page's requests that match the pattern, which the product does not receive, while `act` runs.
    pub(crate) async fn during(self, page: &Page, pattern: &str, act: impl Future<Output = ()>) {
        page.journal.expect(&format!("the server responded with a status of {}", self.status));
        let headers = json!([{ "name": "content-type", "value": self.media_type }]);
        let body = BASE64_STANDARD.encode(self.body);
        let answer = json!({ "responseCode": self.status, "responseHeaders": headers, "body": body });
        let answering = Interception::start(page, pattern, "Request", "Fetch.fulfillRequest", answer).await;
        act.await;
        answering.end().await;
    }
}

/// Requests of a page that get another answer than that of the product.
struct Interception {
    tab: Tab,
    task: JoinHandle<()>,
}

impl Interception {
    /// Pauses the requests that match the pattern before they are sent (`Request`) or after they are answered (`Response`), and sends
    /// this command for each.
    async fn start(page: &Page, pattern: &str, stage: &str, command: &'static str, params: Value) -> Self {
        let (mut events, tab) = (page.tab.events(), page.tab.clone());
        let sender = tab.clone();
        let patterns = json!([{ "urlPattern": pattern, "requestStage": stage }]);
        tab.send("Fetch.enable", json!({ "patterns": patterns })).await.unwrap();
        let task = tokio::spawn(async move {
            while let Some(paused) = events.next("Fetch.requestPaused").await {
                let mut params = params.clone();
                params["requestId"] = paused["requestId"].clone();
                let _ = sender.send(command, params).await;
            }
        });
        Self { tab, task }
    }

    async fn end(self) {
        self.tab.send("Fetch.disable", json!({})).await.unwrap();
        self.task.abort();
    }
}
