//! The string to sign: the listed headers, method, Accept, Content-Type, Content-MD5, path and parameters.

use std::borrow::Cow;
use std::collections::BTreeMap;

use http::{HeaderMap, header};
use url::form_urlencoded;

/// A request as it came.
#[derive(Clone, Copy)]
pub struct Incoming<'a> {
    /// In capitals, as in `POST`.
    pub method: &'a str,
    /// As it came, with a stage prefix if there is one.
    pub path: &'a str,
    /// Without its '?'.
    pub query: Option<&'a str>,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
}

/// The fields of a string to sign. Header values are bytes, as they are in HTTP.
pub(super) struct Fields<'a> {
    /// Names in lower case, in the order of the signature.
    pub headers: Vec<(&'a str, &'a [u8])>,
    pub method: &'a str,
    pub accept: &'a [u8],
    pub content_type: &'a [u8],
    pub content_md5: &'a [u8],
    /// See [`path_and_parameters`].
    pub path: &'a str,
}

impl Fields<'_> {
    /// Joined by line feeds, none at the end; a field without a value keeps its line.
    pub fn to_sign(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for (name, value) in &self.headers {
            text.extend_from_slice(name.as_bytes());
            text.extend_from_slice(b": ");
            text.extend_from_slice(value);
            text.push(b'\n');
        }
        let fields = [self.method.as_bytes(), self.accept, self.content_type, self.content_md5, self.path.as_bytes()];
        text.extend_from_slice(&fields.join(&b'\n'));
        text
    }
}

/// `path?key=value&key2=value2`: the parameters of the query and of a form, decoded and sorted by key. An empty value
/// is the key alone, the first value of a repeated key counts, and without parameters there is no '?'.
pub(super) fn path_and_parameters(path: &str, query: Option<&str>, form: Option<&[u8]>) -> String {
    let mut parameters: BTreeMap<Cow<'_, str>, Cow<'_, str>> = BTreeMap::new();
    let query = query.unwrap_or_default().as_bytes();
    for (key, value) in form_urlencoded::parse(query).chain(form_urlencoded::parse(form.unwrap_or_default())) {
        parameters.entry(key).or_insert(value);
    }
    let mut text = path.to_owned();
    for (at, (key, value)) in parameters.iter().enumerate() {
        text.push(if at == 0 { '?' } else { '&' });
        text.push_str(key);
        if !value.is_empty() {
            text.push('=');
            text.push_str(value);
        }
    }
    text
}

/// Whether a Content-Type is that of a form, whose fields are parameters.
pub(super) fn is_form(content_type: &[u8]) -> bool {
    let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
}

impl<'a> Incoming<'a> {
    /// The value of a header, literally; empty when it is not there.
    pub(super) fn header(&self, name: header::HeaderName) -> &'a [u8] {
        self.headers.get(name).map(http::HeaderValue::as_bytes).unwrap_or_default()
    }
}
