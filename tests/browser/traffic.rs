//! Records the network traffic between a page and the product, and drops answers.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use chromiumoxide::cdp::browser_protocol::{
    fetch::{
        DisableParams, EnableParams, EventRequestPaused, FailRequestParams, FulfillRequestParams, HeaderEntry,
        RequestPattern, RequestStage,
    },
    network::{
        ErrorReason, EventDataReceived, EventRequestServedFromCache, EventRequestWillBeSent, EventResponseReceived,
        Headers,
    },
};
use futures_util::StreamExt;

use crate::page::Page;

/// The requests of one page since the recording began.
pub(crate) struct Traffic(Arc<Mutex<BTreeMap<String, Exchange>>>);

/// One request and its answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exchange {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) from_cache: bool,
    pub(crate) headers: Option<Headers>,
    /// The size of the uncompressed answer in bytes.
    pub(crate) bytes: i64,
}

impl Traffic {
    /// Starts to record a page's traffic.
    pub(crate) async fn record(page: &Page) -> Self {
        let mut sent = page.tab.event_listener::<EventRequestWillBeSent>().await.unwrap();
        let mut answered = page.tab.event_listener::<EventResponseReceived>().await.unwrap();
        let mut arrived = page.tab.event_listener::<EventDataReceived>().await.unwrap();
        let mut cached = page.tab.event_listener::<EventRequestServedFromCache>().await.unwrap();
        let traffic = Arc::<Mutex<BTreeMap<String, Exchange>>>::default();
        let (recorded, origin) = (Arc::clone(&traffic), page.origin.clone());
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    Some(event) = sent.next() => {
                        let mut recorded = recorded.lock().unwrap();
                        let exchange = recorded.entry(event.request_id.inner().clone()).or_default();
                        exchange.method.clone_from(&event.request.method);
                        event.request.url.trim_start_matches(&origin).clone_into(&mut exchange.path);
                    }
                    Some(event) = answered.next() => {
                        let mut recorded = recorded.lock().unwrap();
                        let exchange = recorded.entry(event.request_id.inner().clone()).or_default();
                        exchange.headers = Some(event.response.headers.clone());
                        exchange.from_cache |= event.response.from_disk_cache.unwrap_or_default();
                    }
                    Some(event) = cached.next() => {
                        recorded.lock().unwrap().entry(event.request_id.inner().clone()).or_default().from_cache = true;
                    }
                    Some(event) = arrived.next() => {
                        recorded.lock().unwrap().entry(event.request_id.inner().clone()).or_default().bytes += event.data_length;
                    }
                    else => break,
                }
            }
        });
        Self(traffic)
    }

    /// Returns the exchanges so far.
    pub(crate) fn exchanges(&self) -> Vec<Exchange> {
        self.0.lock().unwrap().values().cloned().collect()
    }

    /// Returns the number of times that a click was sent.
    pub(crate) fn clicks(&self) -> usize {
        let is_click = |exchange: &Exchange| exchange.method == "POST" && exchange.path.ends_with("/credentials");
        self.exchanges().into_iter().filter(is_click).count()
    }
}

/// A network fault that drops the answers to requests, which are nevertheless carried out, until [`end`](Self::end) is called.
pub(crate) struct AnswerLoss<'p>(&'p Page);

impl<'p> AnswerLoss<'p> {
    /// Drops the answers to requests whose address matches the pattern.
    pub(crate) async fn start(page: &'p Page, pattern: &str) -> Self {
        page.journal.expect("net::ERR_CONNECTION_RESET");
        let mut paused = page.tab.event_listener::<EventRequestPaused>().await.unwrap();
        let answers = RequestPattern::builder().url_pattern(pattern).request_stage(RequestStage::Response).build();
        page.tab.execute(EnableParams::builder().pattern(answers).build()).await.unwrap();
        let tab = page.tab.clone();
        tokio::spawn(async move {
            while let Some(paused) = paused.next().await {
                let lost = FailRequestParams::new(paused.request_id.clone(), ErrorReason::ConnectionReset);
                let _ = tab.execute(lost).await;
            }
        });
        Self(page)
    }

    /// Restores the network.
    pub(crate) async fn end(self) {
        self.0.tab.execute(DisableParams::default()).await.unwrap();
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
        let mut paused = page.tab.event_listener::<EventRequestPaused>().await.unwrap();
        let requests = RequestPattern::builder().url_pattern(pattern).request_stage(RequestStage::Request).build();
        page.tab.execute(EnableParams::builder().pattern(requests).build()).await.unwrap();
        let tab = page.tab.clone();
        let answering = tokio::spawn(async move {
            while let Some(paused) = paused.next().await {
                let mut answer = FulfillRequestParams::new(paused.request_id.clone(), self.status);
                answer.response_headers = Some(vec![HeaderEntry::new("content-type", self.media_type)]);
                answer.body = Some(BASE64_STANDARD.encode(self.body).into());
                let _ = tab.execute(answer).await;
            }
        });
        act.await;
        page.tab.execute(DisableParams::default()).await.unwrap();
        answering.abort();
    }
}
