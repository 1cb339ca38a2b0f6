import EventLog
import Glibc

// Appends numbered records to an embedded log until it is killed, and says each number once it is acknowledged.
// Usage: log-writer-probe DIR TOPIC

func say(_ text: String, to descriptor: Int32) {
    let line = Array("\(text)\n".utf8)
    guard write(descriptor, line, line.count) == line.count else { exit(1) }
}

guard CommandLine.arguments.count == 3 else {
    say("usage: log-writer-probe DIR TOPIC", to: STDERR_FILENO)
    exit(2)
}
do {
    let log = try EmbeddedLog(directory: CommandLine.arguments[1])
    let place = TopicPartition(CommandLine.arguments[2])
    try await log.create(topic: place.topic, partitions: 1)
    var number = try await log.endOffset(of: place)
    while true {
        let batch = (0..<Int64(3)).map { LogRecord(key: [], value: Array("\(number + $0)".utf8)) }
        try await log.append(batch, to: place)
        number += 3
        say("\(number)", to: STDOUT_FILENO)
    }
} catch {
    say("\(error)", to: STDERR_FILENO)
    exit(3)
}
