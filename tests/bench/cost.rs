//! The price of an invocation at AWS, by the prices of us-east-1 without free tiers, as they were published in November 2026. The HTTP API,
//! queues, mails and logs are not in it.

/// The price of Lambda on arm64, for each GB-second, and for each request. Source: <https://aws.amazon.com/lambda/pricing/>.
const GB_SECOND: f64 = 0.000_013_333_4;
const REQUEST: f64 = 0.2 / MILLION;

/// The price of on-demand capacity of DynamoDB. Source: <https://aws.amazon.com/dynamodb/pricing/on-demand/>.
const WRITE_UNIT: f64 = 0.625 / MILLION;
const READ_UNIT: f64 = 0.125 / MILLION;

/// The price of a request to KMS with a symmetric key or one of RSA with 2,048 bits. Source: <https://aws.amazon.com/kms/pricing/>.
const KMS_REQUEST: f64 = 0.03 / 10_000.0;

const MILLION: f64 = 1_000_000.0;

/// The resources that one invocation uses.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) memory_mb: f64,
    /// The duration, in milliseconds.
    pub(crate) milliseconds: f64,
    /// The read units of the table.
    pub(crate) reads: f64,
    /// The write units of the table.
    pub(crate) writes: f64,
    pub(crate) kms_requests: f64,
}

impl Usage {
    /// Returns the price of a million invocations, in dollars. Lambda charges for each millisecond that has begun.
    pub(crate) fn dollars_per_million(&self) -> f64 {
        let compute = self.memory_mb / 1024.0 * self.milliseconds.ceil() / 1000.0 * GB_SECOND;
        let table = self.writes * WRITE_UNIT + self.reads * READ_UNIT;
        (compute + REQUEST + table + self.kms_requests * KMS_REQUEST) * MILLION
    }
}
