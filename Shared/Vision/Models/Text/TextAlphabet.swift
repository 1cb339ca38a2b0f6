/// Characters that a text recogniser tells apart, and which of them may be read.
struct TextAlphabet: Sendable {
    /// By class of the model; class 0 is blank.
    let characters: [Character]
    /// Classes that may be read, blank left out.
    let allowed: [Int]

    /// - Parameter dictionary: One character a line, in the order of the model's classes from 1; the space follows.
    init(dictionary: String, allowed: Set<Character>) {
        let listed = dictionary.split(separator: "\n").compactMap { $0.first { $0 != "\r" } }
        let characters = ["\0"] + listed + [" "]
        self.characters = characters
        let read = allowed.union([" "])
        self.allowed = characters.indices.filter { $0 > 0 && read.contains(characters[$0]) }
    }

    /// Printable ASCII.
    static let printable = Set((33...126).map { Character(UnicodeScalar(UInt8($0))) })

    /// Characters of a recipe's text, in which `0-9`, `A-Z` and the like stand for all between.
    static func set(_ text: String) -> Set<Character> {
        let characters = Array(text)
        var set: Set<Character> = []
        var index = 0
        while index < characters.count {
            let first = characters[index]
            if index + 2 < characters.count, characters[index + 1] == "-",
                let low = first.asciiValue, let high = characters[index + 2].asciiValue, low < high,
                isWord(first), isWord(characters[index + 2])
            {
                set.formUnion((low...high).map { Character(UnicodeScalar($0)) })
                index += 3
            } else {
                set.insert(first)
                index += 1
            }
        }
        return set
    }

    private static func isWord(_ character: Character) -> Bool {
        character.isASCII && (character.isLetter || character.isNumber)
    }
}

/// What stands at each place of a text: `#` a digit, `@` a capital letter, `*` one of both, `?` anything, else the
/// character itself. Spaces do not count.
struct TextFielding: Equatable, Sendable {
    private var places: [Character]

    init(_ text: String) { places = text.filter { $0 != " " } }

    /// Digits and capitals where the text has such; what else it has, as it is.
    init(like text: String) {
        places = text.filter { $0 != " " }.map { Self.isDigit($0) ? "#" : Self.isCapital($0) ? "@" : $0 }
    }

    /// The text and then what the fielding says.
    func after(_ prefix: String) -> TextFielding {
        var whole = TextFielding(prefix)
        whole.places += places
        return whole
    }

    /// What may stand at one place: classes, each with those of characters that look like it and may not stand there.
    typealias Place = [(index: Int, twins: [Int])]

    /// Characters that many fonts draw alike: which of them it is, its place tells.
    private static let twins: [Set<Character>] = [
        ["0", "O", "o"], ["1", "I", "l"], ["2", "Z"], ["5", "S"], ["8", "B"],
    ]

    func places(in alphabet: TextAlphabet) -> [Place] {
        places.map { place in
            let accepted = alphabet.allowed.filter { Self.accepts(alphabet.characters[$0], at: place) }
            return accepted.map { index in
                let group = Self.twins.first { $0.contains(alphabet.characters[index]) } ?? []
                let twins = alphabet.allowed.filter {
                    group.contains(alphabet.characters[$0]) && !accepted.contains($0)
                }
                return (index, twins)
            }
        }
    }

    private static func accepts(_ character: Character, at place: Character) -> Bool {
        guard character != " " else { return false }
        return switch place {
        case "#": isDigit(character)
        case "@": isCapital(character)
        case "*": isDigit(character) || isCapital(character)
        case "?": true
        default: character == place
        }
    }

    private static func isDigit(_ character: Character) -> Bool { ("0"..."9").contains(character) }

    private static func isCapital(_ character: Character) -> Bool { ("A"..."Z").contains(character) }
}
