/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Every cap of the program in one place: name, number, reason, and what
 * happens at the cap. Each has a test at n and n+1.
 */
#ifndef UTIL_CAPS_H
#define UTIL_CAPS_H

/* Header section of a message or part, octets. Out: 554 5.6.0; in: no
 * crypto, delivered untouched. */
#define CAP_HEADER_SECTION (256u << 10)
/* One header field with its folds, octets. As above. */
#define CAP_HEADER_FIELD (64u << 10)
/* Fields in one header section. As above. */
#define CAP_HEADER_FIELDS 2000
/* A protected header field, octets: a milter packet ends at 64 KiB. Beyond:
 * it stays inside, the one outside stays as it is. */
#define CAP_HP_FIELD (32u << 10)

/* MIME: depth of nested multiparts and message/rfc822, parts in a message,
 * boundary length accepted (RFC 2046 allows 70). Beyond: ambiguous. */
#define CAP_MIME_DEPTH 20
#define CAP_MIME_PARTS 1000
#define CAP_MIME_BOUNDARY 200
/* Octets of one part whose type is looked for, and of all parts together.
 * Beyond: the rest is not looked at; it may be anything. */
#define CAP_KIND_PART (64u << 10)
#define CAP_KIND_MESSAGE (8u << 20)
/* Parameters in one structured field. Beyond: ambiguous. */
#define CAP_MIME_PARAMS 64

/* CMS. Beyond: result neutral, delivered untouched. */
#define CAP_CMS_LAYERS 4
#define CAP_CMS_RECIPIENTS 1000
#define CAP_CMS_SIGNERS 16
#define CAP_CMS_ATTRIBUTES 64
#define CAP_CMS_CERTS 64
#define CAP_CMS_CRLS 8
#define CAP_CMS_CRL_SIZE (1u << 20) /* all of them; beyond: left out */
#define CAP_CMS_CERT_SIZE (64u << 10)
/* Certificates of a message that may be one signer's (one subject key
 * identifier, many certificates). Beyond: not looked at. */
#define CAP_CMS_CANDIDATES 8
#define CAP_CMS_SKELETON (8u << 20) /* all but the content, octets */
#define CAP_CMS_DEPTH 32	    /* nested TLVs */
#define CAP_KEY_OPS 4		    /* private-key operations a message */
/* CompressedData: octets that come out of it, and how many times as much as
 * went in; the ratio counts beyond a floor, because short text of one letter
 * is no bomb. */
#define CAP_EXPANDED (64u << 20)
#define CAP_EXPANSION_RATIO 20
#define CAP_EXPANSION_FLOOR (64u << 10)

/* A list of SMIMECapabilities, octets. Beyond: as if there were none. Lists
 * kept for one address, and for all. Beyond: the one that was signed first
 * goes. */
#define CAP_CAPABILITIES 1024
#define CAP_CAPABILITIES_ADDRESS 8
#define CAP_CAPABILITIES_STORE 100000

/* Certificates tied by hand to one address or domain; scopes of one anchor.
 * Beyond: refused. */
#define CAP_BINDINGS 16
#define CAP_SCOPES 64

/* Addresses taken from one certificate. Beyond: ignored and counted. */
#define CAP_CERT_ADDRESSES 256

/* Public keys, bits; refused before any arithmetic. */
#define CAP_RSA_MIN 2048	/* below: policy */
#define CAP_RSA_MIN_OLD 1024	/* below: refused whatever the policy */
#define CAP_RSA_MAX 8192
#define CAP_RSA_EXPONENT 64

/* Certification path; attempts to find one for all signatures of a message
 * together (one search may make 100). Beyond: policy. */
#define CAP_PATH_DEPTH 8
#define CAP_PATH_MESSAGE 300

/* Directories: certificates looked at in one answer, entries of LDAP, its
 * octets, records of SMIMEA; milliseconds that all lookups of a message have
 * together; answers kept and their octets. Beyond: the directory could not
 * say, or what was asked for longest ago is forgotten. */
#define CAP_FIND_VALUES 256
#define CAP_LDAP_ENTRIES 16
#define CAP_LDAP_ANSWER (4u << 20)
#define CAP_SMIMEA_RECORDS 64
#define CAP_LOOKUP_MS 20000
#define CAP_FIND_CACHE 4096
#define CAP_FIND_CACHE_SIZE (16u << 20)

/* A list of a directory: octets, and pairs or members. Beyond: it is not
 * taken, and the one before holds. */
#define CAP_LIST (20u << 20)
#define CAP_LIST_PAIRS 100000

/* Envelope. */
#define CAP_RECIPIENTS 10000 /* in one transaction; beyond: 452 by the MTA */
#define CAP_ADDRESS 254	     /* octets of an addr-spec, RFC 5321 4.5.3.1.3 */
/* Recipients in one transaction at a door; LMTP makes a message of each.
 * Beyond: 452, and the MTA in front sends the rest afterwards. */
#define CAP_DOOR_LMTP 100
#define CAP_DOOR_SMTP 1000
/* Different copies of one message; their octets, in times max-message-size.
 * Beyond: 550 5.7.3, 552 5.3.4. */
#define CAP_GROUPS 1000
#define CAP_COPIES 16

/* One request between processes, octets (the message itself travels as a
 * descriptor). Beyond: the peer is broken, its connection is closed. */
#define CAP_IPC (4u << 20)
#define CAP_KEY_REQUEST 32768 /* one request to the keys process */
#define CAP_SIGNATURE 2048    /* octets of a signature; RSA 8192 has 1024 */
#define CAP_CEK 32	      /* octets of a content-encryption key */

/* Configuration and rules files, octets; include depth; statements. */
#define CAP_CONF_FILE (16u << 20)
#define CAP_CONF_INCLUDE 8
#define CAP_CONF_FILES 1000 /* read in one run, includes that fan out too */
#define CAP_CONF_BLOCKS 8   /* blocks within blocks */
#define CAP_CONF_ERRORS 50 /* reported; the rest is counted */

/* A file given to cert import, octets; of PEM and LDIF one object of it.
 * Objects in one file, and keys among them. Beyond: refused by name. */
#define CAP_IMPORT_FILE (64u << 20)
#define CAP_IMPORT_OBJECTS 1000000
#define CAP_IMPORT_KEYS 10000
/* Iterations that an encrypted object asks of a key derivation, those of all
 * in one file, and octets of a salt. Beyond: refused before any is done. */
#define CAP_IMPORT_KDF 10000000
#define CAP_IMPORT_KDF_FILE 50000000
#define CAP_IMPORT_SALT 1024

/* A CRL, and an OCSP response, given to crl import, octets. Beyond: refused
 * by name. */
#define CAP_CRL (20u << 20)
#define CAP_OCSP (256u << 10)

/* Message size when the configuration does not say: 40 MiB. */
#define CAP_MESSAGE_DEFAULT (40u << 20)

#endif
