import Glibc
import Synchronization
import Vision

/// Geometry of a ring: fixed when its file is made.
package struct RingGeometry: Equatable, Sendable {
    /// Pictures it holds at once, 1 to 4,096.
    package let slots: Int
    /// Largest picture, bytes of pixels. Memory is taken as pictures need it, not for whole slots.
    package let slotBytes: Int

    /// 16 pictures of up to 100 megabytes.
    package static let standard = RingGeometry(slots: 16, slotBytes: 100_000_000)

    package init(slots: Int, slotBytes: Int) {
        self.slots = slots
        self.slotBytes = slotBytes
    }
}

/// The ring's file in memory. It begins with a page of header, then 64 bytes of label a slot, then the slots.
///
/// A slot's state word orders everything else in it: the writer alone turns `free` into `writing` and, after the label
/// and pixels, into `ready` (release); the reader turns `ready` into `free` once it has its copy, and the writer does so for
/// frames that it never recorded. So whoever is killed, at whatever instruction, leaves a slot `free`, `writing` (its
/// next writer begins again) or whole and `ready`.
struct RingMapping: ~Copyable {
    static let magic = Array("LLPIXRNG".utf8)
    static let version: UInt32 = 1
    static let pageBytes = 4_096
    static let labelBytes = 64

    static let free: UInt64 = 0
    static let writing: UInt64 = 1
    static let ready: UInt64 = 2

    let geometry: RingGeometry
    /// Tells the file from one that has since taken its path.
    let inode: UInt
    private let file: Int32
    private let base: UnsafeMutableRawPointer
    private let bytes: Int

    /// What a slot says about its picture.
    struct Label: Equatable {
        var session: UInt64
        var sequence: UInt64
        var width: UInt32
        var height: UInt32
        var channels: UInt32
    }

    /// Maps the ring at `path`; nil where there is none, or one that is damaged or of another version.
    init?(path: String) throws(FileError) {
        let file = open(path, O_RDWR | O_CLOEXEC)
        guard file >= 0 else {
            if errno == ENOENT { return nil }
            throw .last(path, "open")
        }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_size >= Self.pageBytes else {
            close(file)
            return nil
        }
        let bytes = Int(status.st_size)
        guard let base = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0), base != MAP_FAILED else {
            let error = FileError.last(path, "map into memory")
            close(file)
            throw error
        }
        guard let geometry = Self.geometry(UnsafeRawPointer(base), bytes: bytes) else {
            munmap(base, bytes)
            close(file)
            return nil
        }
        self.geometry = geometry
        self.file = file
        self.base = base
        self.bytes = bytes
        inode = UInt(status.st_ino)
    }

    deinit {
        munmap(base, bytes)
        close(file)
    }

    /// Makes an empty ring at `path`, in place of whatever is there.
    static func create(path: String, _ geometry: RingGeometry) throws(FileError) {
        guard (1...4_096).contains(geometry.slots), (1...Picture.maxPixels * 3).contains(geometry.slotBytes) else {
            throw FileError(
                path: path,
                reason:
                    "\(geometry.slots) slots of \(geometry.slotBytes) bytes; expected 1 to 4096 slots of 1 to "
                    + "\(Picture.maxPixels * 3) bytes"
            )
        }
        let temporary = "\(path).new"
        let file = open(temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw .last(temporary, "create") }
        defer { close(file) }
        guard ftruncate(file, off_t(fileBytes(geometry))) == 0 else { throw .last(temporary, "set the size of") }
        try reserve(file, at: 0, payloadStart(geometry), path: temporary)
        var header = magic
        for value in [UInt64(version), UInt64(geometry.slots), UInt64(geometry.slotBytes)] {
            withUnsafeBytes(of: value) { header += $0 }
        }
        guard pwrite(file, header, header.count, 0) == header.count else { throw .last(temporary, "write") }
        guard rename(temporary, path) == 0 else { throw .last(path, "rename into place") }
    }

    static func fileBytes(_ geometry: RingGeometry) -> Int {
        payloadStart(geometry) + geometry.slots * stride(geometry)
    }

    /// Takes memory or disk for a part of the file: without it, writing to a mapped file on a full device kills the
    /// process.
    private static func reserve(_ file: Int32, at offset: Int, _ bytes: Int, path: String) throws(FileError) {
        let code = posix_fallocate(file, off_t(offset), off_t(bytes))
        guard code == 0 else {
            throw FileError(
                path: path,
                reason: "cannot reserve \(bytes) bytes: \(String(cString: strerror(code)))",
                code: code
            )
        }
    }

    // MARK: Frames

    /// The writer's side; false where the slot's earlier frame is not released.
    func put(_ label: Label, _ pixels: [UInt8], path: String) throws(FileError) -> Bool {
        let slot = Int(label.sequence % UInt64(geometry.slots))
        if state(slot) == Self.ready { return self.label(slot) == label }
        try Self.reserve(file, at: payload(slot) - base, pixels.count, path: path)
        setState(slot, Self.writing)
        setLabel(slot, label)
        pixels.withUnsafeBytes {
            UnsafeMutableRawBufferPointer(start: payload(slot), count: $0.count).copyMemory(from: $0)
        }
        setState(slot, Self.ready)
        return true
    }

    var waiting: Int { (0..<geometry.slots).count { state($0) == Self.ready } }

    /// The reader's side: a copy; nil where the frame is not there, or its label makes no sense.
    func take(_ session: UInt64, _ sequence: UInt64) -> Picture? {
        guard let slot = slot(holding: session, sequence) else { return nil }
        let label = label(slot)
        let (width, height, channels) = (Int(label.width), Int(label.height), Int(label.channels))
        let (area, isTooLarge) = width.multipliedReportingOverflow(by: height)
        guard !isTooLarge, width > 0, height > 0, area <= Picture.maxPixels, channels == 1 || channels == 3,
            area * channels <= geometry.slotBytes
        else { return nil }
        let pixels = Array(UnsafeRawBufferPointer(start: payload(slot), count: area * channels))
        // The geometry was just checked, so nil here means only that the slot changed under a reader that should be
        // alone.
        return self.slot(holding: session, sequence) == slot && self.label(slot) == label
            ? try? Picture(width: width, height: height, channels: channels, pixels: pixels) : nil
    }

    /// Frees the slots whose frames are ready and meant.
    func release(_ isMeant: (Label) -> Bool) {
        for slot in 0..<geometry.slots where state(slot) == Self.ready && isMeant(label(slot)) {
            setState(slot, Self.free)
        }
    }

    /// The slot in which this frame lies ready.
    func slot(holding session: UInt64, _ sequence: UInt64) -> Int? {
        let slot = Int(sequence % UInt64(geometry.slots))
        guard state(slot) == Self.ready else { return nil }
        let label = label(slot)
        return label.session == session && label.sequence == sequence ? slot : nil
    }

    // MARK: Slots

    func state(_ slot: Int) -> UInt64 { stateWord(slot).pointee.load(ordering: .acquiring) }

    func setState(_ slot: Int, _ state: UInt64) { stateWord(slot).pointee.store(state, ordering: .releasing) }

    /// The label; means something only while the slot is ready, or to the writer.
    func label(_ slot: Int) -> Label {
        (labelAddress(slot) + 8).loadUnaligned(as: Label.self)
    }

    func setLabel(_ slot: Int, _ label: Label) {
        (labelAddress(slot) + 8).storeBytes(of: label, as: Label.self)
    }

    func payload(_ slot: Int) -> UnsafeMutableRawPointer {
        base + Self.payloadStart(geometry) + slot * Self.stride(geometry)
    }

    private func labelAddress(_ slot: Int) -> UnsafeMutableRawPointer {
        precondition((0..<geometry.slots).contains(slot), "slot \(slot) of \(geometry.slots)")
        return base + Self.pageBytes + slot * Self.labelBytes
    }

    /// `Atomic<UInt64>` has the layout of the aligned eight bytes that it is bound to; zero is a valid value.
    private func stateWord(_ slot: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
        labelAddress(slot).assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    private static func stride(_ geometry: RingGeometry) -> Int {
        (geometry.slotBytes + pageBytes - 1) / pageBytes * pageBytes
    }

    private static func payloadStart(_ geometry: RingGeometry) -> Int {
        pageBytes + (geometry.slots * labelBytes + pageBytes - 1) / pageBytes * pageBytes
    }

    private static func geometry(_ base: UnsafeRawPointer, bytes: Int) -> RingGeometry? {
        let header = UnsafeRawBufferPointer(start: base, count: magic.count)
        func word(_ index: Int) -> UInt64 { base.load(fromByteOffset: magic.count + 8 * index, as: UInt64.self) }
        guard header.elementsEqual(magic), word(0) == UInt64(version), (1...4_096).contains(word(1)),
            (1...UInt64(Picture.maxPixels * 3)).contains(word(2))
        else { return nil }
        let geometry = RingGeometry(slots: Int(word(1)), slotBytes: Int(word(2)))
        return bytes == fileBytes(geometry) ? geometry : nil
    }
}
