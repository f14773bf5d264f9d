//! Times as they are written: FHIR instants, dates of HTTP, and the forms of messages.

/// A time in milliseconds as HTTP writes it (RFC 9110, section 5.6.7).
pub fn http_date(ms: u64) -> String {
    formatted(ms, "%a, %d %b %Y %H:%M:%S GMT")
}

/// What [`http_date`] writes, in seconds since the Unix epoch.
pub fn seconds_of_http_date(date: &str) -> Option<u64> {
    let time = jiff::fmt::rfc2822::parse(date).ok()?.timestamp();
    u64::try_from(time.as_second()).ok()
}

/// A FHIR instant as milliseconds since the Unix epoch.
pub fn milliseconds(instant: &str) -> Option<u64> {
    u64::try_from(instant.parse::<jiff::Timestamp>().ok()?.as_millisecond()).ok()
}

/// A time in milliseconds as a FHIR instant.
pub fn instant(ms: u64) -> String {
    timestamp(ms).map(|time| time.to_string()).unwrap_or_default()
}

fn timestamp(ms: u64) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_millisecond(i64::try_from(ms).ok()?).ok()
}

/// A time in milliseconds in a form of `strftime`, in UTC.
pub(crate) fn formatted(ms: u64, form: &str) -> String {
    timestamp(ms).map(|time| time.strftime(form).to_string()).unwrap_or_default()
}
