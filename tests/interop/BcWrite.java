// SPDX-License-Identifier: ISC
// Copyright (c) 2026 the postseal authors
//
// Layers put around an entity, one for each step.
//   sign FORM MAILBOX SIGNATURE            clear or opaque; a name of JCE
//   encrypt CIPHER TRANSPORT MAILBOX,...   aes-256-cbc ...; pkcs1 or oaep
//   compress
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.cert.X509Certificate;
import java.security.interfaces.ECPublicKey;
import java.security.spec.MGF1ParameterSpec;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import javax.crypto.spec.OAEPParameterSpec;
import javax.crypto.spec.PSource;
import javax.mail.internet.MimeBodyPart;
import javax.mail.internet.MimeMultipart;
import org.bouncycastle.asn1.ASN1EncodableVector;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.cms.AttributeTable;
import org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers;
import org.bouncycastle.asn1.smime.SMIMECapabilitiesAttribute;
import org.bouncycastle.asn1.smime.SMIMECapability;
import org.bouncycastle.asn1.smime.SMIMECapabilityVector;
import org.bouncycastle.asn1.smime.SMIMEEncryptionKeyPreferenceAttribute;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.cert.jcajce.JcaCertStore;
import org.bouncycastle.cms.CMSAlgorithm;
import org.bouncycastle.cms.RecipientInfoGenerator;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoGeneratorBuilder;
import org.bouncycastle.cms.jcajce.JceCMSContentEncryptorBuilder;
import org.bouncycastle.cms.jcajce.JceKeyAgreeRecipientInfoGenerator;
import org.bouncycastle.cms.jcajce.JceKeyTransRecipientInfoGenerator;
import org.bouncycastle.cms.jcajce.ZlibCompressor;
import org.bouncycastle.mail.smime.SMIMEAuthEnvelopedGenerator;
import org.bouncycastle.mail.smime.SMIMECompressedGenerator;
import org.bouncycastle.mail.smime.SMIMEEnvelopedGenerator;
import org.bouncycastle.mail.smime.SMIMESignedGenerator;
import org.bouncycastle.mail.smime.SMIMEUtil;
import org.bouncycastle.operator.jcajce.JcaAlgorithmParametersConverter;

final class BcWrite {
	private static final Map<String, ASN1ObjectIdentifier> CIPHERS =
	    Map.of("aes-128-cbc", CMSAlgorithm.AES128_CBC,
	    "aes-256-cbc", CMSAlgorithm.AES256_CBC,
	    "3des-cbc", CMSAlgorithm.DES_EDE3_CBC,
	    "aes-128-gcm", CMSAlgorithm.AES128_GCM,
	    "aes-256-gcm", CMSAlgorithm.AES256_GCM,
	    // As old releases did it: no AuthEnvelopedData.
	    "old-aes-256-gcm", CMSAlgorithm.AES256_GCM);

	private BcWrite() {
	}

	static void write(Deque<String> words, InputStream in,
	    OutputStream out) throws Exception {
		MimeBodyPart part = new MimeBodyPart(in);
		while (!words.isEmpty())
			part = step(words, part);
		part.writeTo(out);
	}

	private static MimeBodyPart step(Deque<String> words,
	    MimeBodyPart part) throws Exception {
		String step = words.pop();
		if ("sign".equals(step))
			return sign(words.pop(), words.pop(), words.pop(),
			    part);
		if ("encrypt".equals(step))
			return encrypt(words.pop(), words.pop(),
			    List.of(words.pop().split(",")), part);
		return new SMIMECompressedGenerator().generate(part,
		    new ZlibCompressor());
	}

	private static MimeBodyPart sign(String form, String who,
	    String signature, MimeBodyPart part) throws Exception {
		X509Certificate mine = BcKeys.certificate(who);
		SMIMECapabilityVector can = new SMIMECapabilityVector();
		can.addCapability(SMIMECapability.aES256_CBC);
		can.addCapability(SMIMECapability.aES128_CBC);
		ASN1EncodableVector attributes = new ASN1EncodableVector();
		attributes.add(new SMIMECapabilitiesAttribute(can));
		attributes.add(new SMIMEEncryptionKeyPreferenceAttribute(
		    SMIMEUtil.createIssuerAndSerialNumberFor(mine)));
		SMIMESignedGenerator g = new SMIMESignedGenerator();
		g.addSignerInfoGenerator(
		    new JcaSimpleSignerInfoGeneratorBuilder()
		    .setProvider(BcKeys.BC)
		    .setSignedAttributeGenerator(
		        new AttributeTable(attributes))
		    .build(signature, BcKeys.key(who), mine));
		g.addCertificates(new JcaCertStore(List.of(mine)));
		if ("opaque".equals(form))
			return g.generateEncapsulated(part);
		return entity(g.generate(part));
	}

	private static MimeBodyPart entity(MimeMultipart content)
	    throws Exception {
		MimeBodyPart part = new MimeBodyPart();
		part.setContent(content, content.getContentType());
		part.setHeader("Content-Type", content.getContentType());
		// What is signed stays as it is from here on.
		ByteArrayOutputStream out = new ByteArrayOutputStream();
		part.writeTo(out);
		return SMIMEUtil.toMimeBodyPart(out.toByteArray());
	}

	private static MimeBodyPart encrypt(String cipher, String transport,
	    List<String> to, MimeBodyPart part) throws Exception {
		SMIMEEnvelopedGenerator g = cipher.startsWith("aes") &&
		    cipher.endsWith("gcm") ? new SMIMEAuthEnvelopedGenerator()
		    : new SMIMEEnvelopedGenerator();
		for (String who : to)
			g.addRecipientInfoGenerator(recipient(
			    BcKeys.certificate(who), transport));
		return g.generate(part, new JceCMSContentEncryptorBuilder(
		    CIPHERS.get(cipher)).setProvider(BcKeys.BC).build());
	}

	private static RecipientInfoGenerator recipient(X509Certificate to,
	    String transport) throws Exception {
		if (to.getPublicKey() instanceof ECPublicKey)
			return agreement(to);
		if (!"oaep".equals(transport))
			return new JceKeyTransRecipientInfoGenerator(to)
			    .setProvider(BcKeys.BC);
		AlgorithmIdentifier oaep =
		    new JcaAlgorithmParametersConverter()
		    .getAlgorithmIdentifier(
		        PKCSObjectIdentifiers.id_RSAES_OAEP,
		        new OAEPParameterSpec("SHA-256", "MGF1",
		            MGF1ParameterSpec.SHA256,
		            PSource.PSpecified.DEFAULT));
		return new JceKeyTransRecipientInfoGenerator(to, oaep)
		    .setProvider(BcKeys.BC);
	}

	private static RecipientInfoGenerator agreement(X509Certificate to)
	    throws Exception {
		KeyPairGenerator g = KeyPairGenerator.getInstance("EC",
		    BcKeys.BC);
		g.initialize(((ECPublicKey) to.getPublicKey()).getParams());
		KeyPair pair = g.generateKeyPair();
		return new JceKeyAgreeRecipientInfoGenerator(
		    CMSAlgorithm.ECDH_SHA256KDF, pair.getPrivate(),
		    pair.getPublic(), CMSAlgorithm.AES256_WRAP)
		    .addRecipient(to).setProvider(BcKeys.BC);
	}
}
