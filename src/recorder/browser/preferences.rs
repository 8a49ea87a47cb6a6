//! What a new profile says before Chrome first starts: nobody is there to be asked. Pure.

use serde_json::{Map, Value, json};

/// Where Chrome reads it, beneath the profile's folder.
pub(super) const FILE: &str = "Default/Preferences";
/// Where Chrome reads what is not a profile's.
pub(super) const STATE_FILE: &str = "Local State";
/// A setting of content that blocks (content_settings.h in Chromium); whoever asks is refused at once.
const BLOCK: u8 = 2;
/// What a page could open a chooser or a bubble for (content_settings_types, as preferences name them).
const BLOCKED: &[&str] = &[
    "bluetooth_guard",
    "bluetooth_scanning",
    "file_system_read_guard",
    "file_system_write_guard",
    "federated_identity_api",
    "hid_guard",
    "idle_detection",
    "local_fonts",
    "media_stream_camera",
    "media_stream_mic",
    "midi_sysex",
    "notifications",
    "payment_handler",
    "serial_guard",
    "usb_guard",
    "window_placement",
];

/// What holds for all profiles: names are looked up as the system does, and by no server of Chrome's own choice.
pub(super) fn state() -> Value {
    json!({ "dns_over_https": { "mode": "off" } })
}

/// The preferences of a new profile, as Chrome writes them.
pub(super) fn preferences() -> Value {
    let blocked: Map<String, Value> = BLOCKED.iter().map(|name| ((*name).to_owned(), json!(BLOCK))).collect();
    json!({
        "credentials_enable_service": false,
        "custom_handlers": { "enabled": false },
        "hardware": { "screen_capture_enabled": false },
        "profile": { "default_content_setting_values": blocked, "password_manager_enabled": false },
        "translate": { "enabled": false },
    })
}
