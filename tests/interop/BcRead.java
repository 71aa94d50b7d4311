// SPDX-License-Identifier: ISC
// Copyright (c) 2026 the postseal authors
//
// The layers of a message taken off with the key of a mailbox, and what they
// were. An exception when anything is not valid.
import java.io.InputStream;
import java.io.OutputStream;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import javax.mail.internet.ContentType;
import javax.mail.internet.MimeBodyPart;
import javax.mail.internet.MimeMultipart;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cms.RecipientInformation;
import org.bouncycastle.cms.RecipientInformationStore;
import org.bouncycastle.cms.SignerInformation;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoVerifierBuilder;
import org.bouncycastle.cms.jcajce.JceKeyAgreeAuthEnvelopedRecipient;
import org.bouncycastle.cms.jcajce.JceKeyAgreeEnvelopedRecipient;
import org.bouncycastle.cms.jcajce.JceKeyAgreeRecipient;
import org.bouncycastle.cms.jcajce.JceKeyAgreeRecipientId;
import org.bouncycastle.cms.jcajce.JceKeyTransAuthEnvelopedRecipient;
import org.bouncycastle.cms.jcajce.JceKeyTransEnvelopedRecipient;
import org.bouncycastle.cms.jcajce.JceKeyTransRecipient;
import org.bouncycastle.cms.jcajce.JceKeyTransRecipientId;
import org.bouncycastle.mail.smime.SMIMEAuthEnveloped;
import org.bouncycastle.mail.smime.SMIMEEnveloped;
import org.bouncycastle.mail.smime.SMIMESigned;
import org.bouncycastle.mail.smime.SMIMEUtil;

final class BcRead {
	private final String who;
	private final List<String> layers = new ArrayList<>();
	private String signer = "";

	private BcRead(String who) {
		this.who = who;
	}

	/** The innermost entity goes to out. -> JSON */
	static String read(String who, InputStream in, OutputStream out)
	    throws Exception {
		BcRead reader = new BcRead(who);
		MimeBodyPart part = new MimeBodyPart(in);
		for (MimeBodyPart inner = part; inner != null;) {
			part = inner;
			inner = reader.open(part);
		}
		part.writeTo(out);
		return String.format("{\"layers\": \"%s\", \"signer\": \"%s\"}",
		    String.join(" ", reader.layers), reader.signer);
	}

	/** One layer off; null when there is none. */
	private MimeBodyPart open(MimeBodyPart part) throws Exception {
		ContentType type = new ContentType(part.getContentType());
		String smime = type.getParameter("smime-type");
		if (type.match("multipart/signed"))
			return signed(new SMIMESigned(
			    (MimeMultipart) part.getContent()), "clear");
		if (!type.match("application/pkcs7-mime"))
			return null;
		if ("signed-data".equalsIgnoreCase(smime))
			return signed(new SMIMESigned(part), "opaque");
		if ("authEnveloped-data".equalsIgnoreCase(smime)) {
			layers.add("authEnveloped");
			return decrypted(new SMIMEAuthEnveloped(part)
			    .getRecipientInfos(), true);
		}
		layers.add("enveloped");
		return decrypted(new SMIMEEnveloped(part)
		    .getRecipientInfos(), false);
	}

	private MimeBodyPart decrypted(RecipientInformationStore store,
	    boolean isAuth) throws Exception {
		X509Certificate mine = BcKeys.certificate(who);
		PrivateKey key = BcKeys.key(who);
		boolean isRsa = "RSA".equals(key.getAlgorithm());
		RecipientInformation info = store.get(isRsa
		    ? new JceKeyTransRecipientId(mine)
		    : new JceKeyAgreeRecipientId(mine));
		if (info == null)
			throw new IllegalArgumentException("not for " + who);
		byte[] octets;
		if (isRsa) {
			JceKeyTransRecipient r = isAuth
			    ? new JceKeyTransAuthEnvelopedRecipient(key)
			    : new JceKeyTransEnvelopedRecipient(key);
			octets = info.getContent(r.setProvider(BcKeys.BC));
		} else {
			JceKeyAgreeRecipient r = isAuth
			    ? new JceKeyAgreeAuthEnvelopedRecipient(key)
			    : new JceKeyAgreeEnvelopedRecipient(key);
			octets = info.getContent(r.setProvider(BcKeys.BC));
		}
		return SMIMEUtil.toMimeBodyPart(octets);
	}

	private MimeBodyPart signed(SMIMESigned s, String layer)
	    throws Exception {
		Collection<SignerInformation> all = s.getSignerInfos()
		    .getSigners();
		if (all.size() != 1)
			throw new IllegalArgumentException("not one signer");
		List<X509Certificate> found = new ArrayList<>();
		JcaX509CertificateConverter converter =
		    new JcaX509CertificateConverter().setProvider(BcKeys.BC);
		X509Certificate mine = null;
		for (SignerInformation info : all)
			for (X509CertificateHolder h : s.getCertificates()
			    .getMatches(null)) {
				found.add(converter.getCertificate(h));
				if (info.getSID().match(h))
					mine = converter.getCertificate(h);
			}
		if (!all.iterator().next().verify(
		    new JcaSimpleSignerInfoVerifierBuilder()
		    .setProvider(BcKeys.BC).build(mine)))
			throw new IllegalArgumentException("bad signature");
		BcKeys.mustBeTrusted(mine, found);
		signer = BcKeys.mailbox(mine);
		layers.add(layer);
		return s.getContent();
	}
}
