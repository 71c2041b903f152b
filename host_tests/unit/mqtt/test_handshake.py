"""What is said of a TLS handshake that failed."""

import errno

from firmware.mqtt.handshake import explained


def told(error, clock_set=True):
    """The text for people; that is a ValueError, whatever it was."""
    found = explained(error, clock_set)
    assert isinstance(found, ValueError)
    return str(found)


def test_certificates():
    # as mbedTLS says it
    for text, wanted in (
            ("The certificate validity has expired\n", "has expired"),
            ("The certificate validity starts in the future\n", "is not valid yet"),
            ("The certificate Common Name (CN) does not match with the expected CN\n",
             "wrong host"),
            ("The certificate is not correctly signed by the trusted CA\n", "unknown CA")):
        for clock_set in (True, False):
            assert wanted in told(ValueError(text), clock_set)


def test_without_a_clock_the_dates_of_a_certificate_may_be_good():
    for text in ("The certificate validity has expired\n",
                 "The certificate validity starts in the future\n"):
        assert "clock is not set" in told(ValueError(text), False)
        assert "clock" not in told(ValueError(text), True)
    for text in ("does not match", "not correctly signed"):
        assert "clock" not in told(ValueError(text), False)


def test_of_several_faults_the_date_is_told():
    text = "The certificate validity has expired\nis not correctly signed by the trusted CA\n"
    assert "has expired" in told(ValueError(text))


def test_what_mbedtls_has_a_number_for():
    # with and without its text, since builds differ
    for number, wanted in ((-28288, "does not speak TLS 1.2"), (-30592, "client certificate"),
                           (-29184, "TLS listener"), (-29312, "TLS listener"),
                           (-32512, "no memory")):
        for error in (OSError(number), OSError(number, "SSL - a text")):
            assert wanted in told(error), number


def test_a_connection_that_ends():
    for number in (errno.ECONNRESET, errno.ECONNABORTED):
        assert "TLS listener" in told(OSError(number))


def test_no_answer_is_a_time_out_as_elsewhere():
    found = explained(OSError(errno.ETIMEDOUT, "no answer (tls)"), True)
    assert isinstance(found, OSError) and found.errno == errno.ETIMEDOUT
    assert "not answered" in found.args[1]


def test_anything_else_is_told_as_it_came():
    for error, part in ((OSError(-12345, "a text"), "a text"), (OSError(-12345), "12345"),
                        (ValueError("why"), "why"), (ValueError(), "ValueError")):
        text = told(error)
        assert text.startswith("the TLS handshake failed: ") and part in text
