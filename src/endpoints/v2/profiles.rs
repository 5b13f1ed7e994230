//! `/v2/admin/profile`.

use std::time::Duration;

use contract::{
    Admin, ApiError, ErrorCode,
    caller::ClientInfo,
    negotiation::Accept,
    v2::{
        ProblemResponse,
        endpoints::ProfileEndpoints,
        parameters::ProfileFormat,
        responses::{ProfileBody, ProfileDownload},
    },
};
use poem_openapi::param::Query;

use crate::{domain::UserId, endpoints::audit_origin, services::Profiles};

/// Duration of a profile, in seconds.
const DEFAULT_SECONDS: u64 = 5;

/// Implements the endpoint of profiles.
pub struct ProfileApi {
    pub(super) profiles: Profiles,
}

impl ProfileEndpoints for ProfileApi {
    async fn record(
        &self,
        Admin(caller): Admin,
        client: ClientInfo,
        accept: Accept,
        Query(seconds): Query<Option<i32>>,
        Query(format): Query<Option<ProfileFormat>>,
    ) -> Result<ProfileDownload, ProblemResponse> {
        let format = format.unwrap_or_default();
        let (media_type, disposition) = match format {
            ProfileFormat::Flamegraph => (ProfileBody::SVG, "inline; filename=\"bucketlist.svg\""),
            ProfileFormat::Pprof => (ProfileBody::PPROF, "attachment; filename=\"bucketlist.pb.gz\""),
            ProfileFormat::Heap => (ProfileBody::PPROF, "attachment; filename=\"bucketlist-heap.pb.gz\""),
        };
        if !accept.allows(media_type) {
            let offered = format!("This profile has the media type {media_type}.");
            return Err(ApiError::new(ErrorCode::NotAcceptable).with_message(offered).into());
        }
        let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(DEFAULT_SECONDS);
        let origin = audit_origin(client, Some(UserId::new(caller.user_id)));
        let duration = Duration::from_secs(seconds);
        let body = match format {
            ProfileFormat::Flamegraph => ProfileBody::Svg(self.profiles.record(duration, origin).await?.to_svg()),
            ProfileFormat::Pprof => {
                let encoded = self.profiles.record(duration, origin).await?.to_pprof();
                let failed = |error| ApiError::new(ErrorCode::InternalError).with_source(error);
                ProfileBody::Pprof(encoded.map_err(failed)?)
            }
            ProfileFormat::Heap => ProfileBody::Pprof(self.profiles.record_heap(origin).await?),
        };
        Ok(ProfileDownload::Ok(body, disposition.to_owned().into()))
    }
}
