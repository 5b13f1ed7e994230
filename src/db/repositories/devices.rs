//! The devices that accounts have logged in from, as digests.

use super::prelude::*;
use crate::{
    db::{DbConnection, schema::known_devices},
    domain::{DEVICE_RETENTION, Timestamp, UserId},
};

/// Maximum number of devices of an account. A new device replaces the one with the oldest login.
const MAX_DEVICES: i64 = 50;

/// Records a login. Returns whether the device is unknown to an account that has known others.
pub fn record_login(c: &mut DbConnection, user_id: UserId, device: &[u8], now: Timestamp) -> QueryResult<bool> {
    let devices = known_devices::table.filter(known_devices::user_id.eq(user_id.get()));
    let expired_at = now.before(DEVICE_RETENTION).micros();
    let last_login: Option<i64> =
        devices.filter(known_devices::device.eq(device)).select(known_devices::last_login_at).first(c).optional()?;
    let has_devices = last_login.is_some() || diesel::select(diesel::dsl::exists(devices)).get_result::<bool>(c)?;
    let row = (
        known_devices::user_id.eq(user_id.get()),
        known_devices::device.eq(device),
        known_devices::last_login_at.eq(now.micros()),
    );
    let key = (known_devices::user_id, known_devices::device);
    let changes = known_devices::last_login_at.eq(now.micros());
    match c {
        DbConnection::Sqlite(c) => diesel::insert_into(known_devices::table)
            .values(row)
            .on_conflict(key)
            .do_update()
            .set(changes)
            .execute(c)?,
        DbConnection::Postgres(c) => diesel::insert_into(known_devices::table)
            .values(row)
            .on_conflict(key)
            .do_update()
            .set(changes)
            .execute(c)?,
    };
    if last_login.is_some_and(|last_login| last_login > expired_at) {
        return Ok(false);
    }
    // Now the account has a device that has not expired: an account without devices has never logged in.
    let oldest: Option<i64> = devices
        .order(known_devices::last_login_at.desc())
        .offset(MAX_DEVICES)
        .select(known_devices::last_login_at)
        .first(c)
        .optional()?;
    let expired_at = oldest.map_or(expired_at, |oldest| oldest.max(expired_at));
    diesel::delete(devices.filter(known_devices::last_login_at.le(expired_at))).execute(c)?;
    Ok(has_devices)
}
