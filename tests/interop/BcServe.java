// SPDX-License-Identifier: ISC
// Copyright (c) 2026 the postseal authors
//
// One request a line on standard input, one answer a line: JSON, or what was
// thrown. Both files are in the current folder.
//   read IN OUT MAILBOX
//   write IN OUT STEP ...
import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;

public final class BcServe {
	private BcServe() {
	}

	public static void main(String[] args) throws Exception {
		BcKeys.begin();
		BufferedReader lines = new BufferedReader(
		    new InputStreamReader(System.in));
		for (String line = lines.readLine(); line != null;
		    line = lines.readLine())
			System.out.println(answer(line.split(" ")));
	}

	private static String answer(String[] request) {
		Deque<String> words = new ArrayDeque<>(Arrays.asList(request));
		String what = words.pop();
		try (InputStream in = new FileInputStream(words.pop());
		    OutputStream out = new FileOutputStream(words.pop())) {
			if ("read".equals(what))
				return BcRead.read(words.pop(), in, out);
			BcWrite.write(words, in, out);
			return "{}";
		} catch (Exception e) {
			return e.toString().replaceAll("[\\r\\n]+", " ");
		}
	}
}
