//! From the VOD destination of a spec to that of a delivery.

use std::path::PathBuf;

use super::convert::{Rejection, reject};
use super::destination::Chosen;
use super::spec::VodSpec;
use crate::session::request::{Destination, VodDestination, VodText};

/// The credentials of VOD, where the pod has them: a key of a Secret.
pub const VOD_FILE: &str = "/run/secrets/panorec/vod/panorec-vod.json";

pub(super) fn choose(spec: &VodSpec) -> Result<Chosen, Rejection> {
    let Some(secret) = &spec.credentials_secret_ref else {
        return Err(reject("spec.output.destination.vod.credentialsSecretRef")(
            "the installation has no credentials for VOD; name a Secret whose key panorec-vod.json has secretId and secretKey",
        ));
    };
    let expire_time = spec.expire_time.as_deref().map(str::trim).filter(|time| !time.is_empty());
    let expire_time = expire_time.map(str::parse).transpose();
    let destination = VodDestination {
        sub_app_id: spec.sub_app_id,
        media_name: text("spec.output.destination.vod.mediaName", &spec.media_name)?,
        expire_time: expire_time.map_err(reject("spec.output.destination.vod.expireTime"))?,
        storage_region: text("spec.output.destination.vod.storageRegion", &spec.storage_region)?,
        class_id: spec.class_id,
        source_context: text("spec.output.destination.vod.sourceContext", &spec.source_context)?,
        procedure: text("spec.output.destination.vod.procedure", &spec.procedure)?,
        session_context: text("spec.output.destination.vod.sessionContext", &spec.session_context)?,
        ..VodDestination::new(PathBuf::from(VOD_FILE))
    };
    Ok(Chosen {
        destination: Destination::Vod(Box::new(destination)),
        s3_secret: None,
        vod_secret: Some(secret.name.clone()),
    })
}

/// Blank is as good as nothing.
fn text<const MOST: usize>(field: &'static str, given: &Option<String>) -> Result<Option<VodText<MOST>>, Rejection> {
    let given = given.as_deref().filter(|text| !text.trim().is_empty());
    given.map(str::parse).transpose().map_err(reject(field))
}
