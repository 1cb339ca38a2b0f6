/// The registers of the SIMULATED GigE Vision camera: the bootstrap registers (GigE Vision 1.2, 27), its own ones, and
/// the GenICam description of them. All big-endian.
struct SimulatedGigERegisters {
    /// Where each register is.
    enum Place {
        static let manufacturer = 0x48
        static let model = 0x68
        static let version = 0x88
        static let serial = 0xD8
        static let descriptionURL = 0x200
        static let streamChannels = 0x904
        static let capability = 0x934
        static let tickFrequencyLow = 0x940
        static let control = 0xA00
        static let streamPort = 0xD00
        static let packetSize = 0xD04
        static let streamAddress = 0xD18
        static let streamSource = 0xD1C

        static let width = 0xA000
        static let height = 0xA004
        static let pixelFormat = 0xA008
        static let payloadSize = 0xA00C
        static let acquisitionStart = 0xA010
        static let acquisitionStop = 0xA014
        static let triggerMode = 0xA018
        static let triggerSource = 0xA01C
        static let triggerActivation = 0xA020
        static let triggerSoftware = 0xA024
        static let chunkModeActive = 0xA028
        static let chunkSelector = 0xA02C
        static let chunkEnable = 0xA030
        static let extendedIDs = 0xA034
        static let exposure = 0xA038
        static let description = 0x1_0000
    }

    /// What the camera can do; tests choose.
    struct Ability {
        var serial = "SIM-1"
        var hasChunks = true
        /// Chunk with the frame counter, beside Timestamp.
        var counter: String? = "FrameID"
        var hasResend = true
        /// 0: a camera without clock.
        var ticksPerSecond: UInt32 = 125_000_000
        /// Longest exposure that the camera takes, microseconds; more is set to it.
        var mostExposureUs: UInt32 = 10_000
        /// Largest packet that the network carries, bytes.
        var mtu = 9_000
    }

    /// The chunk selector's value of the frame counter, and the id of its chunk.
    static let counterChunk: UInt32 = 1
    static let chunkID: UInt32 = 0xC1D0
    static let mono8: UInt32 = 0x0108_0001

    let ability: Ability
    private var memory: [UInt8]

    init(_ ability: Ability) {
        self.ability = ability
        let description = Array(Self.description(ability).utf8)
        // READMEM takes whole words.
        memory = [UInt8](repeating: 0, count: Place.description + description.count + 3)
        memory.replaceSubrange(Place.description..<(Place.description + description.count), with: description)
        put("Simulated", at: Place.manufacturer)
        put("Stepper", at: Place.model)
        put("1.0", at: Place.version)
        put(ability.serial, at: Place.serial)
        let (place, size) = (String(Place.description, radix: 16), String(description.count, radix: 16))
        put("Local:simulated.xml;\(place);\(size)", at: Place.descriptionURL)
        self[Place.streamChannels] = 1
        // WRITEMEM, PACKETRESEND.
        self[Place.capability] = ability.hasResend ? 0b110 : 0b010
        self[Place.tickFrequencyLow] = ability.ticksPerSecond
        self[Place.packetSize] = 1_500
        self[Place.width] = 64
        self[Place.height] = 48
        self[Place.pixelFormat] = Self.mono8
        self[Place.exposure] = 500
    }

    /// One register of 32 bits.
    subscript(place: Int) -> UInt32 {
        get { memory[place..<(place + 4)].reduce(0) { $0 << 8 | UInt32($1) } }
        set {
            for byte in 0..<4 { memory[place + byte] = UInt8(truncatingIfNeeded: newValue >> UInt32(24 - 8 * byte)) }
        }
    }

    /// Nil outside the memory.
    func bytes(_ place: Int, _ count: Int) -> ArraySlice<UInt8>? {
        place >= 0 && place + count <= memory.count ? memory[place..<(place + count)] : nil
    }

    private mutating func put(_ text: String, at place: Int) {
        memory.replaceSubrange(place..<(place + text.utf8.count), with: text.utf8)
    }
}

extension SimulatedGigERegisters {
    /// The camera's GenICam description (GenApi 1.1, so that registers of four bytes are read by READMEM too).
    private static func description(_ ability: Ability) -> String {
        var nodes = [
            text("DeviceVendorName", Place.manufacturer, 32), text("DeviceModelName", Place.model, 32),
            text("DeviceVersion", Place.version, 32), text("DeviceSerialNumber", Place.serial, 16),
            integer("Width", Place.width), integer("Height", Place.height), integer("PayloadSize", Place.payloadSize),
            integer("ExposureTicks", Place.exposure),
            enumeration("PixelFormat", Place.pixelFormat, [("Mono8", mono8), ("Mono12", 0x0110_0005)]),
            enumeration("TriggerSelector", 0xA040, [("FrameStart", 0)]),
            enumeration("TriggerMode", Place.triggerMode, [("Off", 0), ("On", 1)]),
            enumeration("TriggerSource", Place.triggerSource, [("Software", 0), ("Line1", 1), ("Line2", 2)]),
            enumeration("TriggerActivation", Place.triggerActivation, [("RisingEdge", 0), ("FallingEdge", 1)]),
            enumeration("GevGVSPExtendedIDMode", Place.extendedIDs, [("Off", 0), ("On", 1)]),
            command("AcquisitionStart", Place.acquisitionStart), command("AcquisitionStop", Place.acquisitionStop),
            command("TriggerSoftware", Place.triggerSoftware), boolean("GevSCPSFireTestPacket", 0xA044),
            "<Float Name=\"ExposureTime\"><pValue>ExposureTicks</pValue></Float>",
        ]
        if ability.hasChunks {
            let selected = [("Timestamp", 0 as UInt32)] + (ability.counter.map { [($0, counterChunk)] } ?? [])
            nodes += [
                boolean("ChunkModeActive", Place.chunkModeActive), boolean("ChunkEnable", Place.chunkEnable),
                enumeration("ChunkSelector", Place.chunkSelector, selected),
                "<Port Name=\"CounterPort\"><ChunkID>\(String(chunkID, radix: 16))</ChunkID></Port>",
                register("Chunk\(ability.counter ?? "Other")", 0, length: 8, port: "CounterPort"),
            ]
        }
        let features = ["Width", "Height"].map { "<pFeature>\($0)</pFeature>" }.joined()
        return """
            <?xml version="1.0" encoding="utf-8"?>
            <RegisterDescription ModelName="Stepper" VendorName="Simulated" StandardNameSpace="None" \
            SchemaMajorVersion="1" SchemaMinorVersion="1" SchemaSubMinorVersion="0" MajorVersion="1" MinorVersion="0" \
            SubMinorVersion="0" ProductGuid="0" VersionGuid="0" xmlns="http://www.genicam.org/GenApi/Version_1_1">
            <Category Name="Root" NameSpace="Standard">\(features)</Category><Port Name="Device"/>
            \(nodes.joined(separator: "\n"))
            </RegisterDescription>
            """
    }

    private static func register(_ name: String, _ place: Int, length: Int = 4, port: String = "Device") -> String {
        "<IntReg Name=\"\(name)\"><Address>\(place)</Address><Length>\(length)</Length><AccessMode>RW</AccessMode>"
            + "<pPort>\(port)</pPort><Sign>Unsigned</Sign><Endianess>BigEndian</Endianess></IntReg>"
    }

    private static func integer(_ name: String, _ place: Int) -> String {
        "<Integer Name=\"\(name)\"><pValue>\(name)Reg</pValue></Integer>" + register("\(name)Reg", place)
    }

    private static func boolean(_ name: String, _ place: Int) -> String {
        "<Boolean Name=\"\(name)\"><pValue>\(name)Reg</pValue></Boolean>" + register("\(name)Reg", place)
    }

    private static func command(_ name: String, _ place: Int) -> String {
        "<Command Name=\"\(name)\"><pValue>\(name)Reg</pValue><CommandValue>1</CommandValue></Command>"
            + register("\(name)Reg", place)
    }

    private static func enumeration(_ name: String, _ place: Int, _ entries: [(String, UInt32)]) -> String {
        let list = entries.map { "<EnumEntry Name=\"\($0.0)\"><Value>\($0.1)</Value></EnumEntry>" }.joined()
        return "<Enumeration Name=\"\(name)\">\(list)<pValue>\(name)Reg</pValue></Enumeration>"
            + register("\(name)Reg", place)
    }

    private static func text(_ name: String, _ place: Int, _ length: Int) -> String {
        "<StringReg Name=\"\(name)\"><Address>\(place)</Address><Length>\(length)</Length>"
            + "<AccessMode>RO</AccessMode><pPort>Device</pPort></StringReg>"
    }
}
