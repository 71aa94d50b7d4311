/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Every line of SQL that the keystore speaks. It stays within what SQLite
 * and PostgreSQL have in common; what only SQLite knows is in db.c.
 */
#include "keystore/sql.h"

const char *const sql_schema =
    "CREATE TABLE meta ("
    "  name TEXT PRIMARY KEY,"
    "  number BIGINT NOT NULL,"
    "  text TEXT NOT NULL);"
    "CREATE TABLE cert ("
    "  id INTEGER PRIMARY KEY,"
    "  sha256 BLOB NOT NULL UNIQUE,"
    "  der BLOB NOT NULL,"
    "  ias BLOB NOT NULL,"
    "  serial TEXT NOT NULL,"
    "  ski BLOB,"
    "  spki BLOB NOT NULL,"
    "  subject BIGINT NOT NULL," /* hash of the name in canonical form */
    "  not_before BIGINT NOT NULL,"
    "  not_after BIGINT NOT NULL,"
    "  state INTEGER NOT NULL,"
    "  use INTEGER NOT NULL,"
    "  source INTEGER NOT NULL,"
    "  added BIGINT NOT NULL,"
    "  is_ca INTEGER NOT NULL,"
    "  is_anchor INTEGER NOT NULL);"
    "CREATE INDEX cert_ias ON cert (ias);"
    "CREATE INDEX cert_serial ON cert (serial);"
    "CREATE INDEX cert_ski ON cert (ski);"
    "CREATE INDEX cert_spki ON cert (spki);"
    "CREATE INDEX cert_issuer ON cert (subject) WHERE is_ca = 1;"
    "CREATE TABLE cert_address ("
    "  address TEXT NOT NULL," /* as addr_key() */
    "  domain TEXT NOT NULL,"
    "  cert INTEGER NOT NULL REFERENCES cert (id),"
    "  PRIMARY KEY (address, cert));"
    "CREATE INDEX cert_address_domain ON cert_address (domain);"
    "CREATE INDEX cert_address_cert ON cert_address (cert);"
    "CREATE TABLE key ("
    "  spki BLOB PRIMARY KEY,"
    "  sealed BLOB NOT NULL);"
    "CREATE TABLE audit ("
    "  id TEXT PRIMARY KEY,"
    "  at BIGINT NOT NULL,"
    "  queue_id TEXT,"
    "  json BLOB NOT NULL);"
    "CREATE INDEX audit_at ON audit (at);"
    "CREATE INDEX audit_queue_id ON audit (queue_id);";

/* Of revocation: issuer: SHA-256 of its public key; name: hash of its name;
 * number and serial: octets of the INTEGER without idle zeros. */
const char *const sql_version_2 =
    "CREATE TABLE crl ("
    "  id INTEGER PRIMARY KEY,"
    "  name BIGINT NOT NULL,"
    "  issuer BLOB NOT NULL,"
    "  subject TEXT NOT NULL," /* of the issuer, for people */
    "  number BLOB,"
    "  this_update BIGINT NOT NULL,"
    "  next_update BIGINT NOT NULL,"
    "  sha256 BLOB NOT NULL,"
    "  added BIGINT NOT NULL,"
    "  entries BIGINT NOT NULL,"
    "  UNIQUE (name, issuer));"
    "CREATE TABLE crl_entry ("
    "  crl INTEGER NOT NULL REFERENCES crl (id),"
    "  serial BLOB NOT NULL,"
    "  at BIGINT NOT NULL,"
    "  reason INTEGER NOT NULL,"
    "  PRIMARY KEY (crl, serial));"
    "CREATE TABLE ocsp ("
    "  name BIGINT NOT NULL,"
    "  serial BLOB NOT NULL,"
    "  issuer BLOB NOT NULL,"
    "  subject TEXT NOT NULL,"
    "  this_update BIGINT NOT NULL,"
    "  next_update BIGINT NOT NULL," /* believed until then */
    "  sha256 BLOB NOT NULL,"
    "  added BIGINT NOT NULL,"
    "  at BIGINT," /* NULL: good */
    "  reason INTEGER NOT NULL,"
    "  PRIMARY KEY (name, serial, issuer));"
    "CREATE TABLE opened ("
    "  message BLOB PRIMARY KEY," /* SHA-256 of its Message-ID */
    "  at BIGINT NOT NULL);"
    "CREATE INDEX opened_at ON opened (at);";

/* What the software behind an address reads, by the mail that it signed. The
 * certificate need not be in the store. */
const char *const sql_version_3 =
    "CREATE TABLE capability ("
    "  id INTEGER PRIMARY KEY,"
    "  address TEXT NOT NULL," /* as addr_key() */
    "  cert BLOB NOT NULL,"    /* SHA-256 */
    "  signed_at BIGINT NOT NULL,"
    "  list BLOB NOT NULL,"
    "  UNIQUE (address, cert));"
    "CREATE INDEX capability_cert ON capability (cert);"
    "CREATE INDEX capability_signed_at ON capability (signed_at);";

/* What an administrator tied by hand, what waits, what was changed. cert: a
 * SHA-256; who: an address as addr_key(), or "@domain". */
const char *const sql_version_4 =
    "CREATE TABLE binding ("
    "  who TEXT NOT NULL,"
    "  kind INTEGER NOT NULL," /* enum ks_binding */
    "  cert BLOB NOT NULL,"
    "  added BIGINT NOT NULL,"
    "  PRIMARY KEY (who, kind, cert));"
    "CREATE INDEX binding_cert ON binding (cert);"
    "CREATE TABLE anchor_scope (" /* an anchor without rows is for all */
    "  cert BLOB NOT NULL,"
    "  domain TEXT NOT NULL," /* "" any, "d", "*.d": of the partner */
    "  purpose INTEGER NOT NULL," /* KS_FOR_* bits */
    "  PRIMARY KEY (cert, domain));"
    "CREATE TABLE harvest ("
    "  address TEXT NOT NULL,"
    "  cert BLOB NOT NULL,"
    "  first_seen BIGINT NOT NULL,"
    "  last_seen BIGINT NOT NULL,"
    "  days INTEGER NOT NULL," /* different ones (UTC) with mail */
    "  reason TEXT NOT NULL,"  /* why it waits; "" when it does not */
    "  PRIMARY KEY (address, cert));"
    "CREATE INDEX harvest_cert ON harvest (cert);"
    "CREATE INDEX harvest_last_seen ON harvest (last_seen);"
    "CREATE TABLE request (" /* keys that wait for a certificate */
    "  spki BLOB PRIMARY KEY,"
    "  address TEXT NOT NULL,"
    "  name TEXT NOT NULL,"
    "  use INTEGER NOT NULL,"
    "  csr BLOB NOT NULL,"
    "  added BIGINT NOT NULL);"
    "CREATE INDEX request_address ON request (address);"
    "CREATE TABLE issued (" /* by the CA of one's own */
    "  serial BLOB PRIMARY KEY," /* octets of the INTEGER */
    "  cert BLOB NOT NULL,"
    "  kind INTEGER NOT NULL," /* mail, TLS server, TLS client */
    "  not_after BIGINT NOT NULL,"
    "  revoked_at BIGINT," /* NULL: not revoked */
    "  reason INTEGER NOT NULL);"
    "CREATE INDEX issued_cert ON issued (cert);"
    "CREATE TABLE change ("
    "  id INTEGER PRIMARY KEY,"
    "  at BIGINT NOT NULL,"
    "  who TEXT NOT NULL,"    /* user and uid */
    "  origin TEXT NOT NULL," /* program and verb, host or terminal */
    "  action TEXT NOT NULL,"
    "  object TEXT NOT NULL,"
    "  detail TEXT NOT NULL);"
    "CREATE INDEX change_at ON change (at);"
    "CREATE INDEX change_object ON change (object);"
    "CREATE TABLE fetched ("
    "  url TEXT PRIMARY KEY,"
    "  tried BIGINT NOT NULL,"
    "  got BIGINT NOT NULL," /* 0: never */
    "  next BIGINT NOT NULL,"
    "  failures INTEGER NOT NULL,"
    "  error TEXT NOT NULL);"
    /* of a CRL that is not of all: issuer is then a hash of key and scope */
    "ALTER TABLE crl ADD COLUMN ca BLOB;" /* its issuer's key */
    "ALTER TABLE crl ADD COLUMN covers INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE crl ADD COLUMN points TEXT NOT NULL DEFAULT '';"
    "CREATE INDEX cert_not_after ON cert (not_after);";

/* What became of copies, mail that is held, and lists that a directory
 * gives. */
const char *const sql_version_5 =
    "CREATE TABLE journal ("
    "  key BLOB PRIMARY KEY," /* of a copy: what it says, to whom */
    "  state INTEGER NOT NULL,"
    "  at BIGINT NOT NULL,"
    "  id TEXT NOT NULL,"	/* of the message that it came of first */
    "  whole BLOB NOT NULL);" /* all copies of a message have the same */
    "CREATE INDEX journal_whole ON journal (whole);"
    "CREATE INDEX journal_at ON journal (at);"
    "CREATE TABLE held ("
    "  id TEXT PRIMARY KEY," /* of the message, and a number */
    "  at BIGINT NOT NULL,"
    "  direction INTEGER NOT NULL,"
    "  sender TEXT NOT NULL,"
    "  rcpts TEXT NOT NULL,"  /* paths with parameters, one a line */
    "  login TEXT NOT NULL,"
    "  client TEXT NOT NULL,"
    "  reason TEXT NOT NULL,"
    "  size BIGINT NOT NULL," /* octets of all parts */
    "  cert BLOB NOT NULL,"   /* SHA-256: whom it is sealed for */
    "  tell INTEGER NOT NULL);" /* may its sender be told? */
    "CREATE INDEX held_at ON held (at);"
    "CREATE TABLE held_cert (" /* no one's: it is sealed for them only */
    "  id INTEGER PRIMARY KEY,"
    "  sha256 BLOB NOT NULL UNIQUE,"
    "  der BLOB NOT NULL,"
    "  spki BLOB NOT NULL,"
    "  added BIGINT NOT NULL);"
    "CREATE TABLE told (" /* mail of ours to senders, until it is sent */
    "  id INTEGER PRIMARY KEY,"
    "  address TEXT NOT NULL,"
    "  mail BLOB NOT NULL," /* empty: sent */
    "  at BIGINT NOT NULL," /* queued */
    "  next BIGINT NOT NULL," /* try; 0: sent or given up */
    "  tries INTEGER NOT NULL);"
    "CREATE INDEX told_next ON told (next);"
    "CREATE INDEX told_at ON told (at);"
    "CREATE TABLE held_part ("
    "  held TEXT NOT NULL REFERENCES held (id) ON DELETE CASCADE,"
    "  n INTEGER NOT NULL,"
    "  octets BLOB NOT NULL,"
    "  PRIMARY KEY (held, n));"
    "CREATE TABLE listed (" /* members of groups, owners of addresses */
    "  list TEXT NOT NULL,"
    "  what TEXT NOT NULL,"  /* an address as addr_key() */
    "  value TEXT NOT NULL," /* "" where membership is all */
    "  PRIMARY KEY (list, what, value));"
    "CREATE TABLE list ("
    "  name TEXT PRIMARY KEY,"
    "  fetched BIGINT NOT NULL," /* 0: never */
    "  next BIGINT NOT NULL,"
    "  error TEXT NOT NULL);";

/* Without a row there is no order: newest first, then the latest import. */
#define NEWEST_FIRST " ORDER BY c.not_before DESC, c.id DESC"
/* Keys first, which are few: SQLite keeps the order of a CROSS JOIN, and would
 * else read all certificates. */
#define OF_KEYS " FROM key CROSS JOIN cert c WHERE c.spki = key.spki"
#define ROWS "SELECT " KS_ROW_COLUMNS " FROM cert c"
#define HARVEST								    \
	"SELECT h.address, h.cert, h.first_seen, h.last_seen, h.days,"	    \
	" h.reason FROM harvest h"
#define REQUESTS                                                  \
	"SELECT spki, address, name, use, csr, added FROM request"

const char *const sql_text[ST_N] = {
	[ST_BEGIN] = "BEGIN IMMEDIATE",
	[ST_COMMIT] = "COMMIT",
	[ST_ROLLBACK] = "ROLLBACK",
	[ST_FILE_BEGIN] = "SAVEPOINT part",
	[ST_FILE_KEEP] = "RELEASE SAVEPOINT part",
	[ST_FILE_BACK] = "ROLLBACK TO SAVEPOINT part",
	[ST_IMPORT_KNOWN] =
	    "SELECT c.state, (SELECT MIN(a.address) FROM cert_address a"
	    " WHERE a.cert = c.id) FROM cert c WHERE c.sha256 = ?1",
	[ST_META_GET] = "SELECT number, text FROM meta WHERE name = ?1",
	[ST_META_SET] =
	    "INSERT INTO meta (name, number, text) VALUES (?1, ?2, ?3)"
	    " ON CONFLICT (name) DO UPDATE SET number = ?2, text = ?3",
	[ST_BUMP] = "UPDATE meta SET number = number + 1 WHERE name = ?1",
	[ST_CERT_BY_SHA] = ROWS " WHERE c.sha256 = ?1",
	[ST_CERT_ADD] =
	    "INSERT INTO cert (sha256, der, ias, serial, ski, spki, subject,"
	    " not_before, not_after, state, use, source, added, is_ca,"
	    " is_anchor) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?14, ?10,"
	    " ?11, ?12, ?13, 0) ON CONFLICT (sha256) DO NOTHING",
	[ST_CERT_ID] = "SELECT id, use FROM cert WHERE sha256 = ?1",
	[ST_CERT_USE] = "UPDATE cert SET use = ?2 WHERE sha256 = ?1",
	[ST_CERT_STATE] = "UPDATE cert SET state = ?2 WHERE sha256 = ?1",
	[ST_CERT_ANCHOR] = "UPDATE cert SET is_anchor = ?2 WHERE sha256 = ?1",
	[ST_CERT_DELETE] = "DELETE FROM cert WHERE sha256 = ?1",
	[ST_ADDRESS_ADD] =
	    "INSERT INTO cert_address (address, domain, cert)"
	    " VALUES (?1, ?2, ?3) ON CONFLICT (address, cert) DO NOTHING",
	[ST_ADDRESS_DELETE] =
	    "DELETE FROM cert_address WHERE cert ="
	    " (SELECT id FROM cert WHERE sha256 = ?1)",
	[ST_KEY_ADD] =
	    "INSERT INTO key (spki, sealed) VALUES (?1, ?2)"
	    " ON CONFLICT (spki) DO UPDATE SET sealed = ?2",
	[ST_KEY_GET] = "SELECT sealed FROM key WHERE spki = ?1",
	[ST_KEY_DELETE] =
	    "DELETE FROM key WHERE spki = ?1 AND NOT EXISTS"
	    " (SELECT 1 FROM cert WHERE cert.spki = ?1) AND NOT EXISTS"
	    " (SELECT 1 FROM request WHERE request.spki = ?1)",
	[ST_KEY_NEXT] =
	    "SELECT spki, sealed FROM key WHERE spki > ?1"
	    " ORDER BY spki LIMIT 1",
	[ST_KEY_RESEAL] = "UPDATE key SET sealed = ?2 WHERE spki = ?1",
	[ST_KEY_COUNT] = "SELECT COUNT(*) FROM key",
	/* no CA's keys; one that is its own CA, as openssl req -x509 makes
	 * them, has an address */
	[ST_KEY_CERTS] =
	    "SELECT " KS_ROW_COLUMNS ", key.sealed" OF_KEYS
	    " AND (c.is_ca = 0 OR EXISTS"
	    " (SELECT 1 FROM cert_address a WHERE a.cert = c.id))"
	    " ORDER BY key.spki, c.id",
	[ST_REQUEST_ADD] =
	    "INSERT INTO request (spki, address, name, use, csr, added)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
	[ST_REQUEST_GET] =
	    REQUESTS " WHERE spki = ?1",
	[ST_REQUEST_LIST] = REQUESTS " ORDER BY address, added, spki",
	[ST_REQUEST_ADDRESS] =
	    REQUESTS " WHERE address = ?1 ORDER BY added, spki",
	[ST_REQUEST_HEX] =
	    REQUESTS " WHERE spki >= ?1 AND spki <= ?2 ORDER BY spki",
	[ST_REQUEST_DELETE] = "DELETE FROM request WHERE spki = ?1",
	[ST_LOCAL_ADDRESSES] =
	    "SELECT DISTINCT address FROM cert_address WHERE domain = ?1"
	    " ORDER BY address",
	[ST_LIST_ALL] = ROWS " ORDER BY c.id",
	[ST_LIST_ADDRESS] =
	    ROWS " JOIN cert_address a ON a.cert = c.id"
	    " WHERE a.address = ?1" NEWEST_FIRST,
	[ST_LIST_DOMAIN] =
	    ROWS " WHERE c.id IN (SELECT a.cert FROM cert_address a"
	    " WHERE a.domain = ?1) ORDER BY c.id",
	[ST_LIST_HEX] =
	    ROWS " WHERE c.sha256 >= ?1 AND c.sha256 <= ?2 ORDER BY c.id",
	[ST_LIST_SPKI] = ROWS " WHERE c.spki = ?1" NEWEST_FIRST,
	/* what mail brought (source 1) comes behind what a person brought */
	[ST_SELECT] =
	    ROWS " JOIN cert_address a ON a.cert = c.id"
	    " WHERE a.address = ?1 ORDER BY c.source = 1,"
	    " c.not_before DESC, c.id DESC LIMIT ?2",
	[ST_FIND_IAS] = ROWS " WHERE c.ias = ?1" NEWEST_FIRST,
	[ST_FIND_SERIAL] =
	    ROWS " WHERE c.serial = ?1" NEWEST_FIRST " LIMIT ?2",
	[ST_FIND_SKI] = ROWS " WHERE c.ski = ?1" NEWEST_FIRST " LIMIT ?2",
	/* Anchors first: they end the search. */
	[ST_ISSUERS] =
	    ROWS " WHERE c.subject = ?1 AND c.is_ca = 1"
	    " ORDER BY c.is_anchor DESC, c.not_after DESC, c.id LIMIT ?2",
	[ST_AUDIT_ADD] =
	    "INSERT INTO audit (id, at, queue_id, json)"
	    " VALUES (?1, ?2, ?3, ?4) ON CONFLICT (id) DO UPDATE"
	    " SET at = ?2, queue_id = ?3, json = ?4",
	[ST_AUDIT_GET] = "SELECT json FROM audit WHERE id = ?1",
	[ST_AUDIT_GET_QUEUE] =
	    "SELECT json FROM audit WHERE queue_id = ?1"
	    " ORDER BY at DESC, id DESC LIMIT 1",
	[ST_AUDIT_EXPIRE] = "DELETE FROM audit WHERE at < ?1",
	[ST_AUDIT_EACH] =
	    "SELECT id, at, json FROM audit WHERE at >= ?1 AND at < ?2"
	    " ORDER BY at",
	[ST_AUDIT_OPENED] =
	    "SELECT COUNT(*), COALESCE(MAX(at), 0) FROM audit"
	    " WHERE CAST(json AS TEXT) LIKE ?1 ESCAPE '\\'",
	[ST_OPENED_ADD] =
	    "INSERT INTO opened (message, at) VALUES (?1, ?2)"
	    " ON CONFLICT (message) DO UPDATE SET at = excluded.at",
	[ST_OPENED_GET] = "SELECT at FROM opened WHERE message = ?1",
	[ST_OPENED_EXPIRE] = "DELETE FROM opened WHERE at < ?1",
	[ST_CAPS_TIME] =
	    "SELECT id, signed_at FROM capability"
	    " WHERE address = ?1 AND cert = ?2",
	[ST_CAPS_ADD] =
	    "INSERT INTO capability (address, cert, signed_at, list)"
	    " VALUES (?1, ?2, ?3, ?4)",
	[ST_CAPS_UPDATE] =
	    "UPDATE capability SET signed_at = ?2, list = ?3 WHERE id = ?1",
	/* few, so in no order: a sorter costs more than they do */
	[ST_CAPS_GET] =
	    "SELECT cert, signed_at, list, id FROM capability"
	    " WHERE address = ?1",
	[ST_CAPS_COUNT] = "SELECT COUNT(*) FROM capability",
	[ST_CAPS_DROP_OLDEST] =
	    "DELETE FROM capability WHERE id ="
	    " (SELECT id FROM capability ORDER BY signed_at, id LIMIT 1)",
	[ST_CAPS_DROP_ADDRESS] =
	    "DELETE FROM capability WHERE address = ?1 AND id NOT IN"
	    " (SELECT id FROM capability WHERE address = ?1"
	    " ORDER BY signed_at DESC, id DESC LIMIT ?2)",
	[ST_CAPS_FORGET] = "DELETE FROM capability WHERE cert = ?1",
	[ST_HARVEST_GET] =
	    HARVEST " WHERE h.address = ?1 AND h.cert = ?2",
	[ST_HARVEST_PUT] =
	    "INSERT INTO harvest (address, cert, first_seen, last_seen,"
	    " days, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
	    " ON CONFLICT (address, cert) DO UPDATE"
	    " SET last_seen = ?4, days = ?5, reason = ?6",
	[ST_HARVEST_OF] = HARVEST " WHERE h.cert = ?1 ORDER BY h.address",
	[ST_HARVEST_DELETE] =
	    "DELETE FROM harvest WHERE address = ?1 AND cert = ?2",
	[ST_HARVEST_FORGET] = "DELETE FROM harvest WHERE cert = ?1",
	/* what serves the address, and what waits to */
	[ST_HARVEST_OTHERS] =
	    ROWS " WHERE c.id IN (SELECT cert FROM cert_address"
	    " WHERE address = ?1 UNION SELECT x.id FROM harvest h"
	    " JOIN cert x ON x.sha256 = h.cert WHERE h.address = ?1)"
	    NEWEST_FIRST " LIMIT ?2",
	[ST_HARVEST_COUNT] = "SELECT COUNT(*) FROM harvest",
	[ST_HARVEST_COUNT_OF] =
	    "SELECT COUNT(*) FROM harvest WHERE address = ?1",
	[ST_HARVEST_COUNTS] =
	    "SELECT COUNT(*), COUNT(CASE WHEN reason = '' THEN 1 END)"
	    " FROM harvest",
	/* the one to go: on the fewest days, and longest ago */
	[ST_HARVEST_WORST] =
	    HARVEST " WHERE h.reason <> ''"
	    " ORDER BY h.days, h.last_seen, h.address LIMIT 1",
	[ST_HARVEST_WORST_OF] =
	    HARVEST " WHERE h.reason <> '' AND h.address = ?1"
	    " ORDER BY h.days, h.last_seen, h.cert LIMIT 1",
	[ST_HARVEST_OLD] =
	    HARVEST " WHERE h.reason <> '' AND h.last_seen < ?1 LIMIT 1",
	[ST_HARVEST_USED] =
	    HARVEST " JOIN cert c ON c.sha256 = h.cert WHERE h.reason = ''"
	    " AND h.last_seen < ?1 AND c.not_after < ?2 LIMIT 1",
	[ST_HARVEST_PENDING] =
	    HARVEST " WHERE h.reason <> '' ORDER BY h.address, h.first_seen",
	[ST_CERT_SOURCE] = "UPDATE cert SET source = ?2 WHERE sha256 = ?1",
	[ST_CHANGE_ADD] =
	    "INSERT INTO change (at, who, origin, action, object, detail)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
	/* INSTR: what people look for has % and _ in it */
	[ST_CHANGE_LIST] =
	    "SELECT id, at, who, origin, action, object, detail FROM change"
	    " WHERE at >= ?1 AND (?2 = '' OR INSTR(object, ?2) > 0"
	    " OR INSTR(detail, ?2) > 0) ORDER BY id DESC LIMIT ?3",
	[ST_LIFE_CERTS] =
	    "SELECT COUNT(*), SUM(EXISTS (SELECT 1 FROM key k"
	    " WHERE k.spki = c.spki)), SUM(is_anchor), SUM(not_after <= ?1),"
	    " SUM(state = 1), SUM(state = 2), SUM(state = 3),"
	    " SUM(source = 1 AND state = 0) FROM cert c",
	[ST_LIFE_LISTS] =
	    "SELECT (SELECT COUNT(*) FROM request),"
	    " (SELECT MIN(added) FROM request),"
	    " (SELECT COUNT(*) FROM crl),"
	    " (SELECT COUNT(*) FROM crl WHERE next_update <= ?1),"
	    " (SELECT MIN(next_update) FROM crl WHERE next_update > ?1),"
	    " (SELECT COUNT(*) FROM fetched),"
	    " (SELECT COUNT(*) FROM fetched WHERE failures > 0)",
	[ST_LIFE_PARTNERS] =
	    "SELECT a.address, MAX(c.not_after) AS ends FROM cert_address a"
	    " JOIN cert c ON c.id = a.cert WHERE c.state = 0 AND c.is_ca = 0"
	    " AND c.use / 2 % 2 = 1 AND NOT EXISTS"
	    " (SELECT 1 FROM key k WHERE k.spki = c.spki)"
	    " GROUP BY a.address HAVING ends >= ?1 AND ends < ?2"
	    " ORDER BY ends, a.address",
	[ST_LIFE_CAS] =
	    ROWS " WHERE c.is_ca = 1 AND c.state = 0 AND c.not_after >= ?1"
	    " AND c.not_after < ?2 AND (c.is_anchor = 1 OR EXISTS"
	    " (SELECT 1 FROM key k WHERE k.spki = c.spki))"
	    " ORDER BY c.not_after, c.id",
	[ST_LIFE_OWN] =
	    "SELECT " KS_ROW_COLUMNS OF_KEYS
	    " AND c.state = 0 AND c.is_ca = 0"
	    " ORDER BY c.not_after, c.id",
	[ST_LIFE_FAILED] =
	    "SELECT url || ': ' || error, tried FROM fetched"
	    " WHERE failures > 0 ORDER BY url",
	[ST_BINDING_ADD] =
	    "INSERT INTO binding (who, kind, cert, added)"
	    " VALUES (?1, ?2, ?3, ?4) ON CONFLICT (who, kind, cert)"
	    " DO NOTHING",
	[ST_BINDING_DELETE] =
	    "DELETE FROM binding WHERE who = ?1 AND kind = ?2 AND cert = ?3",
	[ST_BINDING_DROP] = "DELETE FROM binding WHERE cert = ?1",
	[ST_BINDING_COUNT] =
	    "SELECT COUNT(*) FROM binding WHERE who = ?1 AND kind = ?2",
	[ST_BINDING_LIST] =
	    "SELECT who, kind, cert, added FROM binding ORDER BY who, kind,"
	    " cert",
	[ST_BINDING_OF] =
	    "SELECT who, kind, cert, added FROM binding WHERE cert = ?1"
	    " ORDER BY kind, who",
	[ST_SELECT_BOUND] =
	    ROWS " JOIN binding b ON b.cert = c.sha256"
	    " WHERE b.who = ?1 AND b.kind = ?2" NEWEST_FIRST " LIMIT ?3",
	[ST_SCOPE_ADD] =
	    "INSERT INTO anchor_scope (cert, domain, purpose)"
	    " VALUES (?1, ?2, ?3)",
	[ST_SCOPE_DROP] = "DELETE FROM anchor_scope WHERE cert = ?1",
	[ST_SCOPE_OF] =
	    "SELECT domain, purpose FROM anchor_scope WHERE cert = ?1"
	    " ORDER BY domain LIMIT ?2",
	[ST_SCOPE_ANY] = "SELECT 1 FROM anchor_scope LIMIT 1",
	[ST_ISSUED_ADD] =
	    "INSERT INTO issued (serial, cert, kind, not_after, revoked_at,"
	    " reason) VALUES (?1, ?2, ?3, ?4, NULL, 0)"
	    " ON CONFLICT (serial) DO NOTHING",
	[ST_ISSUED_GET] =
	    "SELECT kind, revoked_at, reason FROM issued WHERE cert = ?1",
	[ST_ISSUED_LIST] =
	    "SELECT i.serial, i.cert, i.kind, i.not_after, i.revoked_at,"
	    " i.reason, c.der FROM issued i"
	    " LEFT JOIN cert c ON c.sha256 = i.cert"
	    " ORDER BY i.not_after, i.serial",
	[ST_ISSUED_REVOKE] =
	    "UPDATE issued SET revoked_at = ?2, reason = ?3 WHERE cert = ?1",
	[ST_ISSUED_REVOKED] =
	    "SELECT serial, revoked_at, reason FROM issued"
	    " WHERE revoked_at IS NOT NULL AND kind >= ?1 AND kind <= ?2"
	    " ORDER BY serial",
	[ST_CAS] = ROWS " WHERE c.is_ca = 1 ORDER BY c.is_anchor DESC, c.id",
	[ST_CRL_GET] =
	    "SELECT id, this_update, number, sha256 FROM crl"
	    " WHERE name = ?1 AND issuer = ?2",
	[ST_CRL_ADD] =
	    "INSERT INTO crl (name, issuer, subject, number, this_update,"
	    " next_update, sha256, added, entries, ca, covers, points)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
	[ST_CRL_DELETE] = "DELETE FROM crl WHERE id = ?1",
	/* twice on a list: the first one counts */
	[ST_CRL_ENTRY_ADD] =
	    "INSERT INTO crl_entry (crl, serial, at, reason)"
	    " VALUES (?1, ?2, ?3, ?4) ON CONFLICT (crl, serial) DO NOTHING",
	[ST_CRL_ENTRIES_DELETE] =
	    "DELETE FROM crl_entry WHERE crl = ?1 AND serial IN"
	    " (SELECT serial FROM crl_entry WHERE crl = ?1 LIMIT ?2)",
	[ST_CRL_NAMELESS] = "SELECT id FROM crl WHERE name = 0 LIMIT 1",
	[ST_CRL_UNNAME] =
	    "UPDATE crl SET name = 0, issuer = ?2 WHERE id = ?1",
	[ST_CRL_NAME] =
	    "UPDATE crl SET name = ?2, issuer = ?3 WHERE id = ?1",
	[ST_OCSP_GET] =
	    "SELECT this_update, sha256 FROM ocsp"
	    " WHERE name = ?1 AND serial = ?2 AND issuer = ?3",
	[ST_OCSP_ADD] =
	    "INSERT INTO ocsp (name, serial, issuer, subject, this_update,"
	    " next_update, sha256, added, at, reason)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
	    " ON CONFLICT (name, serial, issuer) DO UPDATE"
	    " SET subject = ?4, this_update = ?5, next_update = ?6,"
	    " sha256 = ?7, added = ?8, at = ?9, reason = ?10",
	[ST_REVOKED] =
	    "SELECT 0, l.this_update, l.next_update, r.at, r.reason,"
	    " l.covers, l.points FROM crl l LEFT JOIN crl_entry r"
	    " ON r.crl = l.id AND r.serial = ?2"
	    " WHERE l.name = ?1 AND COALESCE(l.ca, l.issuer) = ?3"
	    " UNION ALL SELECT 1, this_update, next_update, at, reason, 0, ''"
	    " FROM ocsp WHERE name = ?1 AND serial = ?2 AND issuer = ?3",
	/* of a store that no newer version has written to */
	[ST_REVOKED_OLD] =
	    "SELECT 0, l.this_update, l.next_update, r.at, r.reason, 0, ''"
	    " FROM crl l LEFT JOIN crl_entry r"
	    " ON r.crl = l.id AND r.serial = ?2"
	    " WHERE l.name = ?1 AND l.issuer = ?3"
	    " UNION ALL SELECT 1, this_update, next_update, at, reason, 0, ''"
	    " FROM ocsp WHERE name = ?1 AND serial = ?2 AND issuer = ?3",
	[ST_REVOKED_QUICK] =
	    "SELECT 1 FROM crl l JOIN crl_entry r ON r.crl = l.id"
	    " WHERE l.name = ?1 AND r.serial = ?2"
	    " UNION ALL SELECT 1 FROM ocsp WHERE name = ?1 AND serial = ?2"
	    " AND at IS NOT NULL",
	[ST_REVOKED_LIST] =
	    "SELECT 0, sha256, subject, NULL, number, this_update,"
	    " next_update, added, entries, NULL FROM crl WHERE name <> 0"
	    " UNION ALL SELECT 1, sha256, subject, serial, NULL, this_update,"
	    " next_update, added, 1, at FROM ocsp ORDER BY 1, 3, 4",
	[ST_REMOVE_ENTRIES] =
	    "DELETE FROM crl_entry WHERE crl IN"
	    " (SELECT id FROM crl WHERE sha256 >= ?1 AND sha256 <= ?2)",
	[ST_REMOVE_CRLS] =
	    "DELETE FROM crl WHERE sha256 >= ?1 AND sha256 <= ?2",
	[ST_REMOVE_OCSP] =
	    "DELETE FROM ocsp WHERE sha256 >= ?1 AND sha256 <= ?2",
	[ST_SOURCES] =
	    "SELECT " KS_ROW_COLUMNS ", c.id FROM cert c WHERE c.id > ?1"
	    " AND c.state = 0 AND c.not_after >= ?2 ORDER BY c.id LIMIT ?3",
	[ST_LISTED_HAS] =
	    "SELECT 1 FROM listed WHERE list = ?1 AND what = ?2 LIMIT 1",
	[ST_LISTED_VALUES] =
	    "SELECT value FROM listed WHERE list = ?1 AND what = ?2"
	    " ORDER BY value",
	[ST_LISTED_PAIRS] =
	    "SELECT what, value FROM listed WHERE list = ?1"
	    " ORDER BY what, value",
	[ST_LISTED_ADD] =
	    "INSERT INTO listed (list, what, value) VALUES (?1, ?2, ?3)",
	[ST_LISTED_CLEAR] = "DELETE FROM listed WHERE list = ?1",
	[ST_LISTED_COUNT] = "SELECT COUNT(*) FROM listed WHERE list = ?1",
	[ST_LIST_GET] =
	    "SELECT name, fetched, next, error FROM list WHERE name = ?1",
	[ST_LIST_SET] =
	    "INSERT INTO list (name, fetched, next, error)"
	    " VALUES (?1, ?2, ?3, '') ON CONFLICT (name) DO UPDATE SET"
	    " fetched = excluded.fetched, next = excluded.next, error = ''",
	[ST_LIST_FAILED] =
	    "INSERT INTO list (name, fetched, next, error)"
	    " VALUES (?1, 0, ?2, ?3) ON CONFLICT (name) DO UPDATE SET"
	    " next = excluded.next, error = excluded.error",
	[ST_LIST_EACH] =
	    "SELECT name, fetched, next, error FROM list ORDER BY name",
	[ST_LIST_FORGET] = "DELETE FROM list WHERE name = ?1",
	[ST_FETCHED_GET] =
	    "SELECT tried, got, next, failures, error FROM fetched"
	    " WHERE url = ?1",
	[ST_FETCHED_SET] =
	    "INSERT INTO fetched (url, tried, got, next, failures, error)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (url) DO UPDATE"
	    " SET tried = ?2, got = ?3, next = ?4, failures = ?5, error = ?6",
	[ST_FETCHED_LIST] =
	    "SELECT url, tried, got, next, failures, error FROM fetched"
	    " ORDER BY url",
	[ST_FETCHED_EXPIRE] = "DELETE FROM fetched WHERE tried < ?1",
	[ST_JOURNAL_GET] = "SELECT state, id FROM journal WHERE key = ?1",
	[ST_JOURNAL_SET] =
	    "INSERT INTO journal (key, state, at, id, whole)"
	    " VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (key) DO"
	    " UPDATE SET state = ?2, at = ?3, whole = ?5",
	[ST_JOURNAL_DROP] =
	    "DELETE FROM journal WHERE key = ?1 AND state <= ?2",
	[ST_JOURNAL_EXPIRE] = "DELETE FROM journal WHERE at < ?1",
	[ST_JOURNAL_COUNT] = "SELECT COUNT(*) FROM journal WHERE state = ?1",
	[ST_HELD_CERT_ADD] =
	    "INSERT INTO held_cert (sha256, der, spki, added)"
	    " VALUES (?1, ?2, ?3, ?4)",
	[ST_HELD_CERT] = "SELECT der FROM held_cert ORDER BY id DESC LIMIT 1",
	/* columns as of KS_ROW_COLUMNS, for the keyring */
	[ST_HELD_KEYS] =
	    "SELECT h.sha256, h.der, 0, 0, 0, h.added, 0, 1, key.sealed"
	    " FROM held_cert h JOIN key ON key.spki = h.spki"
	    " ORDER BY h.spki, h.id",
	[ST_HELD_ADD] =
	    "INSERT INTO held (id, at, direction, sender, rcpts, login,"
	    " client, reason, size, cert, tell)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
	[ST_HELD_PART_ADD] =
	    "INSERT INTO held_part (held, n, octets) VALUES (?1, ?2, ?3)",
	[ST_HELD_PART] =
	    "SELECT octets FROM held_part WHERE held = ?1 AND n = ?2",
	[ST_HELD_SIZE] = "SELECT size FROM held WHERE id = ?1",
	[ST_HELD_TOTAL] = "SELECT COUNT(*), COALESCE(SUM(size), 0) FROM held",
	[ST_HELD_LIST] =
	    "SELECT id, at, direction, sender, rcpts, login, client, reason,"
	    " size, cert, tell FROM held WHERE at <= ?1 ORDER BY at, id",
	[ST_HELD_GET] =
	    "SELECT id, at, direction, sender, rcpts, login, client, reason,"
	    " size, cert, tell FROM held WHERE id = ?1",
	[ST_HELD_PARTS_DELETE] = "DELETE FROM held_part WHERE held = ?1",
	[ST_HELD_LEFT] = "UPDATE held SET rcpts = ?2 WHERE id = ?1",
	[ST_HELD_DELETE] = "DELETE FROM held WHERE id = ?1",
	[ST_TOLD_ADD] =
	    "INSERT INTO told (address, mail, at, next, tries)"
	    " VALUES (?1, ?2, ?3, ?3, 0)",
	[ST_TOLD_COUNT] =
	    "SELECT COUNT(*), COALESCE(SUM(address = ?2), 0) FROM told"
	    " WHERE at > ?1",
	[ST_TOLD_NEXT] =
	    "SELECT id, address, mail, next FROM told WHERE next > 0"
	    " ORDER BY next, id LIMIT 1",
	[ST_TOLD_GET] = "SELECT tries, address FROM told WHERE id = ?1",
	[ST_TOLD_SET] =
	    "UPDATE told SET next = ?2, tries = ?3 WHERE id = ?1",
	[ST_TOLD_SENT] =
	    "UPDATE told SET next = 0, mail = x'' WHERE id = ?1",
	[ST_TOLD_EXPIRE] = "DELETE FROM told WHERE next = 0 AND at <= ?1",
};
