//! Delivery, and disks without room.

use crate::parts::*;
use crate::support::*;
use panorec::publisher::PublishError;
use panorec::publisher::finish::{Kind, Order, finish};
use panorec::publisher::package::HlsSettings;
use panorec::session::name::PartName;
use panorec::store::{FolderStore, Store, StoreError};
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

#[test]
fn files_are_delivered_whole_also_to_another_file_system() {
    let here = tempfile::tempdir().unwrap();
    let far = tempfile::tempdir_in("/dev/shm").unwrap();
    for folder in [here.path().join("."), far.path().to_owned()] {
        let file = here.path().join("made");
        write(&file, &[7; 300_000]);
        write(&folder.join("video.mp4"), b"an older one");
        let delivered = FolderStore::new(&folder, &folder).deliver(&file, "video.mp4", &mut |_| ()).unwrap();
        assert_eq!(delivered.size_bytes, 300_000);
        assert_eq!(fs::read(folder.join("video.mp4")).unwrap(), vec![7; 300_000]);
        assert!(!file.exists());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_file(folder.join("video.mp4")).unwrap();
    }
    let file = here.path().join("made");
    write(&file, b"x");
    let error =
        FolderStore::new(here.path().join("missing"), here.path()).deliver(&file, "v", &mut |_| ()).unwrap_err();
    assert!(matches!(error, StoreError::Write { .. }) && file.exists(), "{error}");
}

const FULL_DISK: &str = "PANOREC_TEST_FULL_DISK";

/// Runs itself once more where a small file system can be mounted without being root.
#[test]
fn a_full_disk_is_told_and_nothing_is_lost() {
    if let Some(small) = std::env::var_os(FULL_DISK) {
        return fill_up(Path::new(&small));
    }
    let small = tempfile::tempdir().unwrap();
    let out = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c"])
        .arg("mount -t tmpfs -o size=64k none \"$1\" && shift && exec \"$@\"")
        .arg("sh")
        .arg(small.path())
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "room::a_full_disk_is_told_and_nothing_is_lost", "--nocapture"])
        .env(FULL_DISK, small.path())
        .output()
        .unwrap();
    let said = [out.stdout, out.stderr].concat();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&said));
}

fn fill_up(small: &Path) {
    let session = Session::recorded(&[stretch(0, grid(9.0))]);
    let order = Order { name: "video", kind: Kind::Mp4, thumbnail: false, contact_sheet: false };
    let open = |name: PartName| File::open(session.folder.path().join(name.to_string()));
    let kinds = [Kind::Mp4, Kind::Hls(HlsSettings { segment_seconds: 3, encryption: None })];
    for kind in kinds {
        let order = Order { kind, ..order.clone() };
        let refused = finish(&session.parts, &open, small, &order, &mut |_| {});
        assert!(matches!(refused, Err(PublishError::DiskFull)), "{refused:?}");
        for left in fs::read_dir(small).unwrap() {
            fs::remove_file(left.unwrap().path()).unwrap();
        }
    }
    let mp4 = session.mp4();
    let error = FolderStore::new(small, small).deliver(&mp4, "video.mp4", &mut |_| ()).unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    assert!(mp4.exists());
    assert_eq!(fs::read_dir(small).unwrap().count(), 0);
}
