//! `kelpgate.traces`: which requests are traced, and where spans go. Off if it is absent.

use json::{JsonError, Node};

use crate::unknown_settings::refuse_unknown;

/// `kelpgate.traces`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceSettings {
    /// `endpoint`: the URL of a collector that takes OTLP by HTTP, such as `http://localhost:4318/v1/traces`.
    pub endpoint: String,
    /// `sampleRatio`, 0 to 1, in millionths: how many of the requests whose callers do not say are traced. 0.01 by default.
    pub sampled_per_million: u32,
    /// `maxPerSecond`: how many requests are traced in a second at most, whatever their callers say; 100 by default.
    pub per_second_max: u32,
    /// `serviceName`: `service.name`; `kelpgate` by default.
    pub service_name: String,
    /// `tokenFile`: the file with the token for `Authorization: Bearer`.
    pub token_file: Option<String>,
    /// `paths`: whether spans tell paths, which hold the keys of objects. False by default.
    pub with_paths: bool,
}

impl TraceSettings {
    pub(crate) fn read(node: &Node<'_>) -> Result<Self, JsonError> {
        let mut object = node.object()?;
        let endpoint = object.string(&["endpoint"])?;
        if !["http://", "https://"].iter().any(|scheme| endpoint.starts_with(scheme)) {
            return Err(node.error(format!(
                "`{endpoint}` is not the URL of a collector; write `endpoint`, such as `http://localhost:4318/v1/traces`"
            )));
        }
        let mut settings = Self {
            endpoint,
            sampled_per_million: 10_000,
            per_second_max: 100,
            service_name: "kelpgate".to_owned(),
            token_file: Some(object.string(&["tokenFile"])?).filter(|file| !file.is_empty()),
            with_paths: false,
        };
        if let Some(node) = object.take("sampleRatio") {
            let ratio = node.number()?;
            if !(0.0..=1.0).contains(&ratio) {
                return Err(node.error("write a number from 0 to 1"));
            }
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the range")]
            let per_million = (ratio * 1_000_000.0).round() as u32;
            settings.sampled_per_million = per_million;
        }
        if let Some(node) = object.take("maxPerSecond") {
            let number = u32::try_from(node.integer()?);
            settings.per_second_max = number.map_err(|_| node.error("write a number from 0 to 4294967295"))?;
        }
        if let Some(name) = Some(object.string(&["serviceName"])?).filter(|name| !name.is_empty()) {
            settings.service_name = name;
        }
        if let Some(node) = object.take("paths") {
            settings.with_paths = node.boolean()?;
        }
        refuse_unknown(object)?;
        Ok(settings)
    }
}
