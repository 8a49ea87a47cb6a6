//! From a Start to what the two halves of its session are asked to do.

use jiff::Timestamp;
use url::Url;

use super::area::SecretFiles;
use crate::gateway::action::{Cos, Parameters, Refusal, Start, Vod};
use crate::local::cli::{S3Args, VodArgs};
use crate::local::output::Scheme;
use crate::session::name::TaskId;
use crate::session::request::{
    self, Callback, Delivery, Destination, Format, HlsKey, KeyPrefix, Link, PictureSize, Request, S3Destination,
    SegmentDuration, Served, StartTimeout, VodDestination,
};

/// Where finished files can go, and what else a Start does not say.
pub(super) struct Places {
    /// For `Output.Cos` with a bucket.
    pub s3: S3Args,
    /// For `Output.Vod`.
    pub vod: VodArgs,
    /// What the URLs of the sessions' own files begin with.
    pub public_url: Url,
    pub allow_no_sandbox: bool,
}

/// What a person should know of a picture before it is recorded.
pub(super) fn notes(asked: &Parameters) -> Vec<String> {
    let rounded = PictureSize::rounded_up_to_even(asked.width, asked.height).ok();
    let odd = rounded.and_then(|rounded| Some((rounded.asked?, rounded.size)));
    let note = |((width, height), size)| format!("{width}x{height} has an odd side; the picture is {size} instead");
    odd.map(note).into_iter().collect()
}

impl Places {
    /// What a Start asks of its session.
    ///
    /// # Errors
    /// It asks for a place that there is not.
    pub(super) fn ask(
        &self,
        start: &Start,
        task_id: &TaskId,
        created: Timestamp,
        secrets: &SecretFiles,
    ) -> Result<(Request, Delivery), Refusal> {
        let asked = &start.parameters;
        let request = self.request(start, secrets)?;
        let video = &asked.output.video;
        let key = start.encrypt_key.as_ref().and(video.auth_url.as_ref());
        // What is said of the file in a bucket means nothing in VOD.
        let cos = asked.output.cos.as_ref().filter(|_| asked.output.vod.is_none());
        let format = Format::from(video.muxer);
        let name = match (cos.and_then(|cos| cos.target_name.clone()), format) {
            (Some(name), _) => Ok(name),
            (None, Format::Mp4) => created.as_millisecond().to_string().parse(),
            (None, Format::Hls) => "playlist".parse(),
        };
        let delivery = Delivery {
            task_id: task_id.clone(),
            format,
            destination: self.destination(asked, task_id)?,
            name: name.map_err(unfit)?,
            segment_seconds: SegmentDuration::default(),
            live_playlist: false,
            key: key.map(|url| HlsKey { file: secrets.hls_key.clone(), url: url.clone(), iv: video.encrypt_iv }),
            thumbnail: asked.thumbnail,
            contact_sheet: false,
            // It lies on this machine's disk in any case, and that outlives this process.
            intermediate: None,
            callback: asked
                .callback_url
                .clone()
                .map(|url| Callback { user_data: asked.user_data.clone(), ..Callback::to(url) }),
            served: Some(Served { created, files: Some(self.files(task_id)?) }),
            remove_session: false,
        };
        Ok((request, delivery))
    }

    fn request(&self, start: &Start, secrets: &SecretFiles) -> Result<Request, Refusal> {
        let asked = &start.parameters;
        // A manual start is waited for as long as the recording may take.
        let (how, timeout) = match asked.manual_start {
            true => (request::Start::Manual, StartTimeout::new(asked.max_duration_limit.get()).map_err(unfit)?),
            false => (request::Start::Automatic, StartTimeout::default()),
        };
        Ok(Request {
            size: PictureSize::rounded_up_to_even(asked.width, asked.height).map_err(unfit)?.size,
            frame_rate: asked.frame_rate,
            start: how,
            start_timeout_seconds: timeout,
            max_duration_seconds: asked.max_duration_limit,
            pause_mode: asked.pause_mode,
            codec: asked.codec,
            crf: asked.codec.default_crf(),
            max_bitrate_kbps: asked.max_bitrate,
            user_agent: asked.headers.user_agent.clone(),
            title: asked.page_title.clone(),
            login_file: start.login_state.as_ref().map(|_| secrets.login.clone()),
            allow_no_sandbox: self.allow_no_sandbox,
            ..Request::new(asked.record_url.clone())
        })
    }

    fn destination(&self, asked: &Parameters, task_id: &TaskId) -> Result<Destination, Refusal> {
        match (&asked.output.vod, &asked.output.cos) {
            (Some(vod), _) => Ok(Destination::Vod(Box::new(self.media(vod)?))),
            (None, Some(cos)) if cos.bucket.is_some() => Ok(Destination::S3(Box::new(self.bucket(cos, task_id)?))),
            (None, _) => Ok(Destination::Session),
        }
    }

    /// A bucket of COS in its region, or of the store that was given for all of them.
    fn bucket(&self, cos: &Cos, task_id: &TaskId) -> Result<S3Destination, Refusal> {
        let bucket = cos.bucket.clone().ok_or_else(|| Refusal::parameter("Output.Cos.Bucket is missing"))?;
        let mut args = self.s3.clone();
        args.s3_region = cos.region.clone().or(args.s3_region);
        let scheme = if args.s3_endpoint.is_some() { Scheme::S3 } else { Scheme::Cos };
        if scheme == Scheme::Cos && args.s3_region.is_none() {
            return Err(Refusal::parameter("Output.Cos.Region is missing, and this installation has none"));
        }
        let prefix = match &cos.target_dir {
            Some(folder) => folder.clone(),
            None => task_id.as_str().parse::<KeyPrefix>().map_err(unfit)?,
        };
        let mut destination = args.destination(scheme, bucket, prefix).map_err(unfit)?;
        if let Some(domain) = &cos.domain {
            let url = if domain.contains("://") { domain.clone() } else { format!("http://{domain}") };
            destination.link = Link::Domain { address: Url::parse(&url).map_err(unfit)? };
        }
        Ok(destination)
    }

    fn media(&self, vod: &Vod) -> Result<VodDestination, Refusal> {
        if self.vod.vod_credentials.is_none() {
            return Err(Refusal::internal("create task failed(this installation has no credentials for VOD)"));
        }
        let own = self.vod.clone().destination().map_err(unfit)?;
        let (info, procedure) = (vod.media_info.clone(), vod.procedure_info.clone());
        Ok(VodDestination {
            sub_app_id: vod.sub_app_id.or(own.sub_app_id),
            media_name: info.media_name.or(own.media_name),
            expire_time: info.expire_time.or(own.expire_time),
            storage_region: info.storage_region.or(own.storage_region),
            class_id: info.class_id.or(own.class_id),
            source_context: info.source_context.or(own.source_context),
            procedure: procedure.procedure.or(own.procedure),
            session_context: procedure.session_context.or(own.session_context),
            ..own
        })
    }

    /// The URL of the folder of a session's own files.
    fn files(&self, task_id: &TaskId) -> Result<Url, Refusal> {
        let mut url = self.public_url.clone();
        match url.path_segments_mut() {
            Ok(mut path) => drop(path.pop_if_empty().extend(["files", task_id.as_str(), ""])),
            Err(()) => return Err(Refusal::internal("the public URL can have no path")),
        }
        Ok(url)
    }
}

fn unfit(why: impl std::fmt::Display) -> Refusal {
    Refusal::parameter(why.to_string())
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use serde_json::{Value, json};

    use super::*;
    use crate::gateway::action;

    fn places() -> Places {
        Places {
            s3: S3Args::default(),
            vod: VodArgs::default(),
            public_url: "https://record.example.com/api/".parse().unwrap(),
            allow_no_sandbox: false,
        }
    }

    fn ask(places: &Places, mut data: Value) -> Result<(Request, Delivery), String> {
        data["RecordURL"] = json!("https://school.example/lesson");
        let (_, read) = action::read(json!({"Action": "Start", "Data": data}).to_string().as_bytes());
        let action::Request::Start(start) = read.unwrap() else { panic!("no start") };
        let secrets = SecretFiles { hls_key: PathBuf::from("/data/t/hls.key"), login: PathBuf::from("/data/t/login") };
        let created = Timestamp::from_millisecond(1_621_406_865_789).unwrap();
        places.ask(&start, &"t".parse().unwrap(), created, &secrets).map_err(|refusal| refusal.message)
    }

    fn bucket(places: &Places, cos: &Value) -> S3Destination {
        match ask(places, json!({"Output": {"Cos": cos}})).unwrap().1.destination {
            Destination::S3(s3) => *s3,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_file_stays_here_where_no_place_is_named() {
        let (request, delivery) = ask(&places(), json!({"ManualStart": true, "MaxDurationLimit": 90})).unwrap();
        assert_eq!((request.start, request.start_timeout_seconds.get()), (request::Start::Manual, 90));
        assert_eq!((&delivery.destination, delivery.name.as_str()), (&Destination::Session, "1621406865789"));
        let url = delivery.served.unwrap().url("lesson 1.mp4");
        assert_eq!(url.unwrap().as_str(), "https://record.example.com/api/files/t/lesson%201.mp4");
        let hls = json!({
            "StorageType": "cos", "CallbackURL": "http://a.example/", "UserData": 7,
            "Output": {
                "Cos": {"TargetDir": "11234/", "TargetName": "lesson.m3u8"},
                "Video": {"Muxer": "hls", "EncryptKey": "21834cca41778803e1afba3f41e70c90", "AuthUrl": "https://a.example/"},
            },
        });
        let delivery = ask(&places(), hls).unwrap().1;
        assert_eq!((&delivery.destination, delivery.name.as_str()), (&Destination::Session, "lesson"));
        assert_eq!(delivery.key.unwrap().file, Path::new("/data/t/hls.key"));
        assert_eq!((delivery.intermediate, delivery.callback.unwrap().user_data), (None, Some(json!(7))));
    }

    #[test]
    fn a_bucket_is_cos_in_its_region_or_in_the_store_that_was_given() {
        let cos = bucket(&places(), &json!({"Bucket": "webrecord-1250000000", "Region": "ap-shanghai"}));
        assert_eq!(cos.endpoint.as_ref().unwrap().as_str(), "https://cos.ap-shanghai.myqcloud.com/");
        assert_eq!(cos.key("1.mp4"), "t/1.mp4");
        let mut store = places();
        store.s3.s3_endpoint = Some("https://minio.example".parse().unwrap());
        let named = json!({"Bucket": "lessons", "TargetDir": "/a/", "Domain": "video.example.com"});
        let own = bucket(&store, &named);
        assert_eq!((own.key("1.mp4"), own.url("a/1.mp4").unwrap().to_string()), {
            ("a/1.mp4".to_owned(), "http://video.example.com/a/1.mp4".to_owned())
        });
        let refused = ask(&places(), json!({"Output": {"Cos": {"Bucket": "webrecord-1250000000"}}})).unwrap_err();
        assert!(refused.starts_with("Output.Cos.Region is missing"), "{refused}");
    }

    #[test]
    fn vod_wins_and_needs_credentials() {
        let data = json!({"Output": {
            "Cos": {"Bucket": "lessons", "TargetName": "other"},
            "Vod": {"MediaInfo": {"MediaName": "lesson", "ClassId": 7}, "SubAppId": "1500007120"},
        }});
        let refused = ask(&places(), data.clone()).unwrap_err();
        assert_eq!(refused, "create task failed(this installation has no credentials for VOD)");
        let mut with = places();
        with.vod = VodArgs { vod_credentials: Some("/vod.json".into()), vod_class_id: Some(1), ..VodArgs::default() };
        let delivery = ask(&with, data).unwrap().1;
        assert_eq!(delivery.name.as_str(), "1621406865789");
        let Destination::Vod(vod) = delivery.destination else { panic!("{:?}", delivery.destination) };
        assert_eq!(
            (vod.sub_app_id, vod.class_id, &vod.credentials_file),
            (Some(1_500_007_120), Some(7), &"/vod.json".into())
        );
        assert_eq!(vod.media_name.unwrap().as_str(), "lesson");
    }

    #[test]
    fn an_odd_side_is_noted() {
        let (request, _) = ask(&places(), json!({"Width": 641, "Height": 360})).unwrap();
        assert_eq!((request.size.width(), request.size.height()), (642, 360));
        let parameters = json!({"RecordURL": "https://a.example/", "Width": 641, "Height": 360});
        let noted = notes(&serde_json::from_value(parameters).unwrap());
        assert_eq!(noted, ["641x360 has an odd side; the picture is 642x360 instead"]);
    }
}
