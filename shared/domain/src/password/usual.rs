//! Words that administrators put into their passwords: roles, what an account is for, months, seasons and days, in English and German,
//! and the short words between them.
//!
//! They are not on the list because they are common there, but because they are at hand where this password is chosen.

/// The guesses for one of the words: about their number.
pub(super) const GUESSES: u64 = 100;

/// The words, in lower case. Umlauts are written as such: the check also finds them as `ae`, `oe`, `ue`.
pub(super) const WORDS: &str = "
    admin admins administrator administrators administratoren administratorin administration administrative adminadmin superadmin sysadmin
    superuser superadministrator root user username benutzer benutzername nutzer guest gast owner inhaber manager operator master
    moderator webmaster verwalter verwaltung chef boss head lead leader leiter leiterin leitung teamleiter teamleiterin director direktor
    it sysop sysops devops techniker technician
    account konto login logon signin anmelden anmeldung access zugang zugriff service services dienst support helpdesk
    system server portal customer kunde kunden company firma unternehmen business office team security sicherheit
    password passwords passwort passwörter kennwort passphrase passcode parole secret geheim geheimnis geheimwort
    credential credentials zugangsdaten temporary temporär initial permanent default standard start setup install
    changeme changethis changeit letmein welcome willkommen hello hallo guten morgen bitte ändern neu neues mein meine unser
    test testing tester demo trial sample example beispiel muster production produktion cloud online
    january february march april may june july august september october november december
    jan feb mar apr jun jul aug sep sept oct nov dec
    januar jänner februar märz mai juni juli oktober dezember okt dez
    spring summer autumn fall winter frühling frühjahr sommer herbst season year month jahr monat
    monday tuesday wednesday thursday friday saturday sunday weekend
    montag dienstag mittwoch donnerstag freitag samstag sonnabend sonntag wochenende
    today tomorrow heute morgen
    my the to is for our your this and der die das ist und für";
