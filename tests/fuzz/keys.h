/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Private keys that protect nothing: fixed, so that a mutant that was kept
 * still opens in the next run.
 */
#ifndef TESTS_FUZZ_KEYS_H
#define TESTS_FUZZ_KEYS_H

static const char alice_pem[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgyTcocsc29a//YNd3\n"
    "t8Rap0e1nfaTSDN4q+Geq0pANxehRANCAARfPKJsPsKQ4rDPObxjZYk3RgK9sqxT\n"
    "hTEkwKKDg4J+KI3u1eqro8ftfYMS6twxcW7YJscDtLTatEKGobJdHx/r\n"
    "-----END PRIVATE KEY-----\n";
static const char bob_pem[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDA6MkyMRFvzYlTRt4F3\n"
    "qXr1jEZ7vm3e/mMfiNPzty7jkbg9qwnGxfNnJtCrhceRSnOhZANiAASFunKV31cd\n"
    "DiDCi36nZ525mGP6tJZPxVaVbJAIU6gm0WI8BlkhMWySFrIuFoo9b5Thl57JUszF\n"
    "26F0KkRnKdVORF2yHys7HQqbVqqrAEhCvydgxmklZGc99HwvYlwbjxA=\n"
    "-----END PRIVATE KEY-----\n";
static const char carol_pem[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDZasEYr+0ifzI+\n"
    "NCH83yjU3l3I3rWabzMVzFOi85pl3PuidVqzJSrq//tSDOTiMDwS8bO4pXt9Cv+o\n"
    "9tDqyxLMJjzJ/suYpZg34y34u42JuppwsEvDIpQ8D2+J+55CPdJqYic9O4AsLb01\n"
    "dw/xl8P5Ht/yJPmd6XRNFzqAL9eVch0V61iR6IVAruyZTZe/WI2q0aIStsbqUkVc\n"
    "NzvKlJV2mAsRLLWdQ8Azey1c5ZQ/Dt4RHweOGjt3eJAHtcUVc8KY1oAEZOEStQwH\n"
    "uJDlJE3K4H2uo9UmnJnVLeYojhtFeUzz/3wNc6tNoi+/G4Y2VWp715METEU3uWf1\n"
    "1q/YJeVNAgMBAAECggEAJuupbZXwyYAjqmcCvpXkZVb5SwAzWlYVuw0826roNNv+\n"
    "X/LKLc+1gyQYBXQxdRxVZL7IAYH+PUA+zCyC8cUwtEMUFsT6BXV/bmHI1QIeME2r\n"
    "YAjvRxtllerdeMIGbq1KgajYhWmlZEM739pUjFcyyeHxDRP5a39jRnmmC1SFL0dN\n"
    "3Wy2mifsSxbtggL4cNLtjrB8ezNcAvmB3UZvzj9qSeu814PoM6APBCXZrA1GgMEC\n"
    "+PTOF8j7b9BME3vYfNQSw32Pw4PnrjQWhd8l0Z/tCS6TrNaEQZyOo7Gx/hcp03EQ\n"
    "2RIpzsEPoU5/9Ev6ycqHxnsbCDiajtnacCNa1sDzsQKBgQDto76WkHeeJ0Aqf94M\n"
    "k8kXy3EiAyO0AJrS3mOFOB434IA9ISDcjVRNB05hmriVe6HFxk+48pbj6fPLhQs8\n"
    "7DZa8zDGv+wGqORMCeRYFFMyDdTJVPJ2MCP79eO4pduO5EPL6CT3f6Ch7Cr+P7Ex\n"
    "EEWwWGLAMcozQsiDpHYP0P26pwKBgQDqNwc5yDc+JEXPQi+vvv6bSBJQJkV/LgaY\n"
    "IwvmTQCcDTCITWwgeDuAsmWTxNE0ko73bla0BFwU8FQQ+Yv7y793BLDpguLrTNe3\n"
    "e3rDlAewcaRX1/Fpm8RJByut6HGcpQ1CrgvbYVW76MtkwkZ6upZ1E2u2jrKJ5SJE\n"
    "BgNt+A/C6wKBgQDRpnZMKuP8+S/Yzro9alwsy+ThVte2xBnTEzPFof622S8JvyJY\n"
    "sa6/zkROQ8u4xTuxWgWXax3HsOzOjm+drd8+WfKcRVGbhoDyvH9hXX0QWbdyb6kA\n"
    "r/PvI71ld5298JAHYqTKXSR/9fTwHYzbdjmlHDTyznpOwwpXaU5nIb/XXQKBgCjw\n"
    "C1xHKZi8AFO0rt8aFCiSFVlbBySup8ppvce4R9X+3C/G0JJwUX4yMFz+ts5om4KW\n"
    "D6ORa4LhauA4rgYJ2+JyuHVoQj98g+v3MkMDGcD2bBJKlVCvQES/cxwHl+wYUVQJ\n"
    "Vds3jSO2Ee7/ohALkwbNqTMUiBJgMXgQUQMkq6SXAoGABl3GzXMausenHSnLjmzB\n"
    "k0QskxU6lQ+lNEvT60eoR1AHA7ITP55I9i4187wb2oc6Nf+uAdiaaILTsn/xnh9x\n"
    "uoLi53qM8JaZie0JyJXcreCDGMu+x+iTNWgvTWN9j3P2UPDNJuHziXwD8bANxMJK\n"
    "uA2FS3FPMtg72nglcDPT/Qg=\n"
    "-----END PRIVATE KEY-----\n";

#endif
