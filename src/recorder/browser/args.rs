//! Chrome's command line. Pure.

use std::net::SocketAddr;
use std::path::Path;

/// Chrome's features that put something over the page, or phone home, or stop hidden pages.
const DISABLED_FEATURES: &[&str] = &[
    "AutofillServerCommunication",
    "CalculateNativeWinOcclusion",
    "DialMediaRouteProvider",
    "GlobalMediaControls",
    // Chrome's own window drawn by renderers of its own, though nobody sees it.
    "InitialWebUI",
    "InitialWebUISurfaceSync",
    "MediaRouter",
    "OptimizationHints",
    "PasswordLeakDetection",
    "Translate",
    "WebUIBackForwardButton",
    "WebUIHomeButton",
    "WebUILocationBar",
    "WebUIReloadButton",
    "WebUISplitTabsButton",
    "WebUIToolbar",
];

/// The arguments for a page of `width` x `height` pixels.
pub fn arguments(profile: &Path, (width, height): (u32, u32), user_agent: Option<&str>, sandbox: bool) -> Vec<String> {
    let mut arguments: Vec<String> = [
        "--kiosk",
        "--window-position=0,0",
        "--force-device-scale-factor=1",
        "--force-color-profile=srgb",
        "--hide-scrollbars",
        "--autoplay-policy=no-user-gesture-required",
        "--remote-debugging-port=0",
        // Software WebGL; without it pages with WebGL stay empty on machines without a GPU.
        "--use-gl=angle",
        "--use-angle=swiftshader-webgl",
        // A picture nobody looks at is drawn all the same.
        "--disable-background-timer-throttling",
        "--disable-backgrounding-occluded-windows",
        // Nobody waits for an input here, and each step ahead is a refresh between sound and picture.
        "--disable-main-frame-before-activation",
        "--disable-renderer-backgrounding",
        // A meeting's pictures are shown as they come; evened out, twice as many of them are lost.
        "--disable-rtc-smoothness-algorithm",
        // Nothing over the page, nothing asked.
        "--deny-permission-prompts",
        "--disable-infobars",
        "--disable-notifications",
        "--hide-crash-restore-bubble",
        "--no-default-browser-check",
        "--no-first-run",
        "--noerrdialogs",
        "--password-store=basic",
        // No traffic but the page's.
        "--disable-background-networking",
        "--disable-breakpad",
        "--disable-component-update",
        "--disable-domain-reliability",
        "--disable-quic",
        "--disable-sync",
        "--metrics-recording-only",
        "--no-pings",
    ]
    .map(str::to_owned)
    .into();
    arguments.push(format!("--window-size={width},{height}"));
    arguments.push(format!("--user-data-dir={}", profile.display()));
    arguments.push(format!("--disable-features={}", DISABLED_FEATURES.join(",")));
    if let Some(user_agent) = user_agent {
        arguments.push(format!("--user-agent={user_agent}"));
    }
    if !sandbox {
        arguments.push("--no-sandbox".to_owned());
    }
    arguments.push("about:blank".to_owned());
    arguments
}

/// The arguments that send all of Chrome's TCP through a proxy, also that to this machine.
pub fn proxied(proxy: SocketAddr) -> [String; 2] {
    [format!("--proxy-server=http://{proxy}"), "--proxy-bypass-list=<-loopback>".to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sandbox_is_on_unless_a_person_says_otherwise() {
        let with = |sandbox| arguments(Path::new("/p"), (1280, 720), None, sandbox);
        assert!(!with(true).iter().any(|a| a.contains("no-sandbox")));
        assert!(with(false).iter().any(|a| a == "--no-sandbox"));
        for weakening in ["--ignore-certificate-errors", "--disable-web-security", "--disable-site-isolation-trials"] {
            assert!(!with(false).iter().any(|a| a.starts_with(weakening)));
        }
    }
}
