//! Delivery to Tencent Cloud VOD: a stand-in for its API, and a real object store behind it.

mod api;
mod command;
mod served;
mod signed;
mod sigv4;
mod store;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use panorec::egress::Resolver;
use panorec::session::request::VodDestination;
use panorec::store::{Delivered, Media, Store, StoreError, Uploads, VodStore};
use serde_json::json;

use crate::proxy::{Proxy, Seen, Verdict};
use crate::server::Server;
use crate::{Place, Remembered};
use api::{Fate, SECONDS, SECRET_ID, SECRET_KEY, SUB_APP_ID, Vod, certificates};

/// Uploads as a journal would have them, and what a person is told.
#[derive(Default)]
struct Journal {
    uploads: Remembered,
    warnings: RefCell<Vec<String>>,
}

impl Uploads for Journal {
    fn open(&self, key: &str) -> Option<String> {
        self.uploads.open(key)
    }

    fn begun(&self, key: &str, upload_id: &str) -> Result<(), StoreError> {
        self.uploads.begun(key, upload_id)
    }

    fn warn(&self, text: &str) -> Result<(), StoreError> {
        self.warnings.borrow_mut().push(text.to_owned());
        Ok(())
    }
}

impl Place {
    fn vod_credentials(&self, secret: &str) {
        let keys = json!({ "secretId": SECRET_ID, "secretKey": secret });
        std::fs::write(self.0.path().join("panorec-vod.json"), keys.to_string()).expect("written");
    }

    fn vod(&self, vod: &Vod, store: &str) -> VodDestination {
        self.vod_credentials(SECRET_KEY);
        VodDestination {
            sub_app_id: Some(SUB_APP_ID),
            endpoint: Some(vod.url().parse().expect("a URL")),
            store_endpoint: Some(store.parse().expect("a URL")),
            deadline_seconds: 60,
            ..VodDestination::new(self.0.path().join("panorec-vod.json"))
        }
    }

    /// An HLS video of so many segments: the files, the one that players open first.
    fn hls(&self, segments: usize, bytes: usize) -> Vec<PathBuf> {
        let mut playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n".to_owned();
        let mut files = Vec::new();
        for n in 0..segments {
            files.push(self.file(&format!("lesson 1-{n:05}.ts"), bytes + n));
            playlist.push_str(&format!("#EXTINF:{},\nlesson%201-{n:05}.ts\n", SECONDS / segments as f64));
        }
        let entry = self.0.path().join("lesson 1.m3u8");
        std::fs::write(&entry, playlist + "#EXT-X-ENDLIST\n").expect("written");
        files.insert(0, entry);
        files
    }
}

/// What stands between panorec and a media.
struct Stand {
    server: Server,
    vod: Vod,
    proxy: Proxy,
    place: Place,
}

impl Stand {
    fn new(fate: impl FnMut(&str, usize) -> Fate + Send + 'static) -> Stand {
        Stand::guarded(fate, |_, _| Verdict::Pass)
    }

    fn guarded(
        fate: impl FnMut(&str, usize) -> Fate + Send + 'static,
        store: impl FnMut(&Seen, &mut BTreeSet<usize>) -> Verdict + Send + 'static,
    ) -> Stand {
        let server = Server::start_for(&certificates());
        let vod = Vod::over(server.bucket(), fate);
        let proxy = Proxy::before(server.address(), vod.guard(store));
        Stand { server, vod, proxy, place: Place::new() }
    }

    fn destination(&self) -> VodDestination {
        self.place.vod(&self.vod, &self.proxy.url())
    }

    /// As the publisher does: what players open comes last.
    fn deliver(
        &self,
        destination: &VodDestination,
        journal: &Journal,
        files: &[PathBuf],
        pictures: &[PathBuf],
    ) -> Result<Delivered, StoreError> {
        let names = |files: &[PathBuf]| files.iter().map(|file| name_of(file)).collect();
        let media = Media { files: names(files), pictures: names(pictures), duration_us: (SECONDS * 1e6) as i64 };
        let store = VodStore::new(destination, Rc::new(journal), media, &Resolver::default())?;
        let mut last = None;
        for file in pictures.iter().chain(files.iter().rev()) {
            let mut told = Vec::new();
            last = Some(store.deliver(file, &name_of(file), &mut |bytes| told.push(bytes))?);
            assert!(told.last().is_none_or(|told| *told == size(file)), "{told:?}");
        }
        Ok(last.expect("a file"))
    }

    /// Whether the media is what was sent, bit for bit, by another client's eyes.
    fn assert_media(&self, delivered: &Delivered, files: &[PathBuf]) {
        let media = self.vod.world().media.clone();
        assert_eq!(media.len(), 1, "{media:#?}");
        assert_eq!(delivered.file_id.as_deref(), Some(media[0].file_id.as_str()));
        let url = delivered.url.as_deref().expect("a URL");
        assert_eq!(url, format!("http://251000333.vod2.myqcloud.com/{}", media[0].key));
        let (folder, _) = media[0].key.rsplit_once('/').expect("a folder");
        for (n, file) in files.iter().enumerate() {
            let key = if n == 0 { media[0].key.clone() } else { format!("{folder}/{}", name_of(file)) };
            assert_eq!(self.server.read(&key), std::fs::read(file).expect("read"), "{key}");
        }
    }

    fn puts(&self) -> usize {
        self.proxy.seen().iter().filter(|seen| seen.method == "PUT").count()
    }

    /// The code that each request of this action was refused with, if it was.
    fn refusals(&self, action: &str) -> Vec<Option<String>> {
        let world = self.vod.world();
        world.asked.iter().filter(|asked| asked.action == action).map(|asked| asked.refused.clone()).collect()
    }
}

fn name_of(file: &Path) -> String {
    file.file_name().and_then(|name| name.to_str()).expect("a name").to_owned()
}

fn size(file: &Path) -> u64 {
    std::fs::metadata(file).expect("a file").len()
}
