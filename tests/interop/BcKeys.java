// SPDX-License-Identifier: ISC
// Copyright (c) 2026 the postseal authors
//
// Keys and certificates of the current folder: MAILBOX.p12 (password test),
// MAILBOX.crt and root.crt. For BcRead and BcWrite.
import java.io.FileInputStream;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.Security;
import java.security.cert.CertPathBuilder;
import java.security.cert.CertStore;
import java.security.cert.CertificateFactory;
import java.security.cert.CollectionCertStoreParameters;
import java.security.cert.PKIXBuilderParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509CertSelector;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import org.bouncycastle.jce.provider.BouncyCastleProvider;

final class BcKeys {
	static final String BC = "BC";
	private static final char[] PASSWORD = "test".toCharArray();
	private static final int RFC822_NAME = 1;

	private BcKeys() {
	}

	static void begin() {
		Security.addProvider(new BouncyCastleProvider());
	}

	static X509Certificate certificate(String who) throws Exception {
		try (FileInputStream in = new FileInputStream(who + ".crt")) {
			return (X509Certificate) CertificateFactory
			    .getInstance("X.509", BC).generateCertificate(in);
		}
	}

	static PrivateKey key(String who) throws Exception {
		KeyStore store = KeyStore.getInstance("PKCS12", BC);
		try (FileInputStream in = new FileInputStream(who + ".p12")) {
			store.load(in, PASSWORD);
		}
		return (PrivateKey) store.getKey(
		    store.aliases().nextElement(), PASSWORD);
	}

	/** A path to the root, or an exception. */
	static void mustBeTrusted(X509Certificate certificate,
	    Collection<X509Certificate> others) throws Exception {
		X509CertSelector wanted = new X509CertSelector();
		wanted.setCertificate(certificate);
		PKIXBuilderParameters p = new PKIXBuilderParameters(
		    Set.of(new TrustAnchor(certificate("root"), null)),
		    wanted);
		List<X509Certificate> all = new ArrayList<>(others);
		all.add(certificate);
		p.addCertStore(CertStore.getInstance("Collection",
		    new CollectionCertStoreParameters(all), BC));
		p.setRevocationEnabled(false);
		CertPathBuilder.getInstance("PKIX", BC).build(p);
	}

	static String mailbox(X509Certificate certificate) throws Exception {
		for (List<?> name : certificate.getSubjectAlternativeNames())
			if (name.get(0).equals(RFC822_NAME))
				return (String) name.get(1);
		throw new IllegalArgumentException("no mailbox");
	}
}
