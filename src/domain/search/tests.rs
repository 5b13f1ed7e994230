//! Scripts, symbols and hostile input.

use std::collections::HashSet;

use super::{MAX_BYTES, MAX_QUERY_TERMS, MAX_TERMS, SearchQuery, search_terms, snippet};

fn query(text: &str) -> SearchQuery {
    SearchQuery::parse(text).unwrap_or_else(|| panic!("{text} has no term"))
}

/// Matches as both database engines do.
fn finds(text: &str, searched: &str) -> bool {
    let terms = search_terms(text);
    query(searched).terms().iter().all(|wanted| terms.iter().any(|term| term.starts_with(wanted)))
}

#[test]
fn text_is_split_into_terms() {
    let table: &[(&str, &[&str])] = &[
        ("See the World!", &["see", "the", "world"]),
        ("Tromsø, 2027-02-01", &["tromso", "2027", "02", "01"]),
        ("don't stop", &["don", "t", "stop"]),
        ("東京タワー", &["東京", "京タ", "タワ", "ワー", "ー"]),
        ("3月に京都", &["3", "月に", "に京", "京都", "都"]),
        ("กิน", &["กิ", "ิน", "น"]),
        ("서울 여행", &["서울", "여행"]),
        ("हिन्दी सीखो", &["हिन्दी", "सीखो"]),
        ("Война и мир", &["воина", "и", "мир"]),
        ("ΟΔΟΣ", &["οδοσ"]),
        ("שלום עולם", &["שלום", "עולם"]),
        ("Go🏄🏽now ❤️", &["go", "🏄", "now", "❤"]),
        ("🇳🇴🇯🇵", &["🇳🇴", "🇴🇯", "🇯🇵", "🇵"]),
        ("a_b-c\u{E000}d\0e", &["a", "b", "c", "d", "e"]),
        ("\u{301} - \u{301}x", &["x"]),
        ("", &[]),
        (" \"*'()--;.,!?/\\&|:<>^~`@#$%+=[]{} ", &[]),
    ];
    for (text, expected) in table {
        assert_eq!(search_terms(text), *expected, "{text}");
    }
}

#[test]
fn text_is_found_by_prefixes_of_its_terms() {
    for (text, searched) in [
        ("Zürich", "zurich"),
        ("Zurich", "ZÜR"),
        ("Zu\u{308}rich", "zür"),
        ("Tromsø", "tromso"),
        ("Straße", "strass"),
        ("Things to see in the world", "worl see"),
        ("東京タワーに登る", "京タワー"),
        ("東京タワーに登る", "タ"),
        ("東京タワーに登る", "る"),
        ("登る 富士山", "士山"),
        ("ﾊﾞｽで行く", "バス"),
        ("เที่ยวทะเล", "ทะเล"),
        ("ໄປລາວ", "ລາວ"),
        ("ភាសាខ្មែរ", "ខ្មែរ"),
        ("မြန်မာ", "မာ"),
        ("서울여행", "서울"),
        ("ΟΔΟΣ ΕΡΜΟΥ", "οδός"),
        ("οδός", "ΟΔΟΣ"),
        ("Ёлка", "елк"),
        ("हिन्दी", "हिन्"),
        ("Surf 🏄🏽‍♀️ in Bali", "🏄"),
        ("Surf 🏄 in Bali", "🏄🏽"),
        ("🇯🇵 trip", "🇯🇵"),
        ("🇳🇴🇯🇵", "🇯🇵"),
    ] {
        assert!(finds(text, searched), "{searched} in {text}");
    }
    for (text, searched) in
        [("Zürich", "urich"), ("see the world", "see worlds"), ("京東", "東京"), ("Surf 🏄", "🏊"), ("🇯🇵", "🇵🇯")]
    {
        assert!(!finds(text, searched), "{searched} not in {text}");
    }
}

#[test]
fn query_has_no_special_syntax() {
    for (typed, terms) in [
        ("\"quoted phrase\"", &["quoted", "phrase"] as &[&str]),
        ("zur*", &["zur"]),
        ("NEAR(a b, 5)", &["near", "a", "b", "5"]),
        ("a AND NOT b OR c", &["a", "and", "not", "b", "or", "c"]),
        ("name:x", &["name", "x"]),
        ("'; DROP TABLE items; --", &["drop", "table", "items"]),
        ("a & b | !c <-> d:*", &["a", "b", "c", "d"]),
        ("1_admin", &["1", "admin"]),
        ("again Again AGAIN", &["again"]),
    ] {
        assert_eq!(query(typed).terms(), terms, "{typed}");
    }
    for typed in ["", "  ", "\"", "*", "-- ;", "'\\", "\u{301}", "\u{200D}\u{FE0F}", "🏽"] {
        assert_eq!(SearchQuery::parse(typed), None, "{typed:?}");
    }
}

#[test]
fn terms_contain_no_query_syntax_of_an_engine() {
    let every: Vec<char> = ('\0'..='\u{2FFFF}').collect();
    let characters: HashSet<char> = every
        .chunks(2_000)
        .flat_map(|part| search_terms(&part.iter().collect::<String>()))
        .flat_map(|term| term.chars().collect::<Vec<_>>())
        .collect();
    assert!(characters.len() > 20_000, "{}", characters.len());
    for character in characters {
        let harmless = if character.is_ascii() {
            character.is_ascii_lowercase() || character.is_ascii_digit()
        } else {
            !character.is_whitespace() && !character.is_control()
        };
        assert!(harmless, "{character:?}");
    }
}

#[test]
fn terms_are_bounded() {
    let long = "abcdefghij ".repeat(930);
    assert_eq!(search_terms(&long).len(), 930);
    assert_eq!(query(&long).terms(), ["abcdefghij"]);
    assert_eq!(search_terms(&"x".repeat(10_240)), ["x".repeat(64)]);
    assert!(finds(&"x".repeat(10_240), &"x".repeat(70)));
    assert_eq!(search_terms(&"東".repeat(20_000)).len(), MAX_TERMS);
    let wide = format!("{} ", "𝔘".repeat(64)).repeat(4_000) + &format!("{} ", "𐐀".repeat(64)).repeat(4_000);
    assert!(search_terms(&wide).iter().map(String::len).sum::<usize>() <= MAX_BYTES);
    let many: String = (0..100).map(|number| format!("w{number} ")).collect();
    assert_eq!(query(&many).terms().len(), MAX_QUERY_TERMS);
    let zalgo = format!("a{}b", "\u{316}".repeat(10_000));
    assert_eq!(search_terms(&zalgo), ["ab"]);
}

#[test]
fn matches_are_marked_in_the_original_text() {
    for (text, searched, expected) in [
        ("Zürich by night", "zuri ni", Some("<mark>Züri</mark>ch by <mark>ni</mark>ght")),
        ("Zu\u{308}rich", "zu", Some("<mark>Zu\u{308}</mark>rich")),
        ("Straße", "stras", Some("<mark>Straß</mark>e")),
        ("東京タワーに登る", "京タワー", Some("東<mark>京タワー</mark>に登る")),
        ("Surf 🏄🏽 now", "🏄", Some("Surf <mark>🏄</mark>🏽 now")),
        ("see, sea", "se sea", Some("<mark>se</mark>e, <mark>sea</mark>")),
        (
            "<b onclick=\"x('&')\">bold</b>",
            "bold b",
            Some(
                "&lt;<mark>b</mark> onclick=&quot;x(&#39;&amp;&#39;)&quot;&gt;<mark>bold</mark>&lt;/<mark>b</mark>&gt;",
            ),
        ),
        ("nothing here", "there", None),
        ("", "x", None),
    ] {
        assert_eq!(snippet(text, &query(searched)).as_deref(), expected, "{text}");
    }
}

#[test]
fn long_text_is_cut_around_the_first_match() {
    let text = format!("{}the needle lies {}", "hay in a stack ".repeat(50), "under more hay ".repeat(50));
    let cut = snippet(&text, &query("needle")).unwrap();
    assert!(cut.starts_with('…') && cut.ends_with('…') && cut.contains("the <mark>needle</mark> lies"), "{cut}");
    let length = cut.replace("<mark>", "").replace("</mark>", "").chars().count();
    assert!((120..=162).contains(&length), "{length}: {cut}");
    assert!(cut[3..].starts_with("hay") || cut[3..].starts_with(['i', 'a', 's']), "{cut}");

    let start = snippet(&text, &query("hay")).unwrap();
    assert!(start.starts_with("<mark>hay</mark> in") && start.ends_with('…'), "{start}");
    let end = snippet(&format!("{text}omega"), &query("omega")).unwrap();
    assert!(end.starts_with('…') && end.ends_with("<mark>omega</mark>"), "{end}");

    let family = "👨‍👩‍👧‍👦".repeat(500);
    let shown = snippet(&family, &query("👨")).unwrap().replace("<mark>", "").replace("</mark>", "");
    assert_eq!(shown.trim_end_matches('…').chars().count() % 7, 0, "families stay together: {shown}");
    assert!(snippet(&"x".repeat(10_240), &query("xx")).unwrap().len() < 200);
}

#[test]
fn snippet_is_bounded_in_code_points() {
    let crowned = |letter: char, marks: usize| format!("{letter}{}", "\u{30d}".repeat(marks));
    for (text, searched) in [
        (crowned('x', 4000), "x"),
        (format!("{} x", crowned('a', 4000)), "x"),
        (format!("x {}", format!("{} ", crowned('"', 30)).repeat(200)), "x"),
        ("👩\u{200d}".repeat(2000), "👩"),
        ("x\u{200d}".repeat(2000), "x"),
        ("x\"".repeat(2000), "x"),
        ("x ".repeat(2000), "x"),
        ("\u{600}&".repeat(2000) + " x", "x"),
    ] {
        let shown = snippet(&text, &query(searched)).unwrap();
        let length = shown.chars().count();
        assert!(shown.contains(&format!("<mark>{searched}")) && length <= 4000, "{length}: {shown}");
    }
}
