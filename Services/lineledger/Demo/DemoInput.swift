import Foundation
import PlantSim
import ServiceRuntime
import Vision

/// What the demo inspects: the built-in scene or a folder of images; with the recipe for it, and the truth where it is
/// known.
struct DemoInput {
    let camera: PlantFile.Camera
    /// Recipe file made for this run.
    let recipePath: String
    let recipe: Recipe
    /// Parts to inspect; nil for no end.
    let parts: Int?
    /// Whether a part is truly defective, by the name of its picture; nil where nobody knows.
    let isDefective: @Sendable (_ sourceName: String) -> Bool?

    static let station = "vision-1"

    /// The built-in test scene, its golden board as template.
    static func scene(seed: UInt64, defectRate: Double, parts: Int?, folder: String) throws -> DemoInput {
        let scene = TestScene(seed: seed, defectRate: defectRate)
        try write(try PictureCodec.encodePNG(scene.template()), to: "\(folder)/template.png")
        let (path, recipe) = try writeRecipe(
            folder,
            id: "board",
            product: "PCB-A",
            tool: """
                golden_template:
                    template: template.png
                    copper: bright
                    threshold: 32
                    min_area: 5
                """,
            reaction: """
                hold_on: [open, short]
                hold_after: {failures: 3, window: 20}
                """
        )
        return DemoInput(
            camera: .scene(seed: seed, defectRate: defectRate, size: scene.size),
            recipePath: path,
            recipe: recipe,
            parts: parts,
            isDefective: { name in
                guard let number = Int(name.drop { !$0.isNumber }) else { return nil }
                return !scene.part(number).truth.isEmpty
            }
        )
    }

    /// A folder of images: `normal/` and `anomaly/` (or `labels.csv`), or `template/` and `test/` pairs.
    static func images(_ images: String, parts: Int?, folder: String) throws -> DemoInput {
        let isPairs = ["template", "test"].allSatisfy { isFolder("\(images)/\($0)") }
        return try isPairs
            ? pairs(images, parts: parts, folder: folder) : labelled(images, parts: parts, folder: folder)
    }

    /// Learns a surface model from the first half of the good images and inspects the rest.
    private static func labelled(_ images: String, parts: Int?, folder: String) throws -> DemoInput {
        let labelled = try LabelledFolder.read(images)
        let good = labelled.items.filter { !$0.isBad }
        let training = good.prefix(max(SurfaceModel.minPictures, good.count / 2))
        let judged = labelled.items.filter { !training.contains($0) }
        guard training.count >= SurfaceModel.minPictures, !judged.isEmpty else {
            throw ServiceProgram.Stop.wrongUse(
                "\(images): \(good.count) good images; expected at least \(2 * SurfaceModel.minPictures) in normal/, "
                    + "half of them to learn from"
            )
        }
        Terminal.complain("learning the surface of good parts from \(training.count) images …")
        let pictures = try training.map { ($0.name, try PictureCodec.load(path: labelled.path(of: $0))) }
        try SurfaceModel.train(pictures: pictures).save(path: "\(folder)/surface.model")
        let staged = try stage(judged.map { ($0.name, labelled.path(of: $0)) }, in: "\(folder)/input")
        let (path, recipe) = try writeRecipe(
            folder,
            id: "surface",
            product: "PART-A",
            tool: """
                surface_model:
                    model: surface.model
                """,
            reaction: "hold_after: {failures: 3, window: 20}"
        )
        let truth = Dictionary(uniqueKeysWithValues: judged.map { ($0.name, $0.isBad) })
        return DemoInput(
            camera: .folder(path: staged, loop: (parts ?? 0) > judged.count),
            recipePath: path,
            recipe: recipe,
            parts: parts ?? judged.count,
            isDefective: { truth[$0] }
        )
    }

    /// Compares each image of `test/` with the one of the same name in `template/`.
    private static func pairs(_ images: String, parts: Int?, folder: String) throws -> DemoInput {
        let names = try FileManager.default.contentsOfDirectory(atPath: "\(images)/test")
            .filter(LabelledFolder.isPicture)
        guard !names.isEmpty else {
            throw ServiceProgram.Stop.wrongUse("\(images)/test: no images; expected PNG, JPEG, PGM or PPM files")
        }
        let staged = try stage(names.map { ($0, "\(images)/test/\($0)") }, in: "\(folder)/input")
        _ = try stage(
            try FileManager.default.contentsOfDirectory(atPath: "\(images)/template").filter(LabelledFolder.isPicture)
                .map { ($0, "\(images)/template/\($0)") },
            in: "\(folder)/templates"
        )
        let (path, recipe) = try writeRecipe(
            folder,
            id: "pairs",
            product: "PART-A",
            tool: """
                golden_pairs:
                    templates: templates
                    copper: bright
                """,
            reaction: "hold_after: {failures: 3, window: 20}"
        )
        return DemoInput(
            camera: .folder(path: staged, loop: (parts ?? 0) > names.count),
            recipePath: path,
            recipe: recipe,
            parts: parts ?? names.count,
            isDefective: { _ in nil }
        )
    }

    private static func writeRecipe(
        _ folder: String,
        id: String,
        product: String,
        tool: String,
        reaction: String
    ) throws -> (path: String, recipe: Recipe) {
        let text = """
            # Made by `lineledger demo` for this run.
            recipe: \(id)
            revision: "1"
            station: \(station)
            product: \(product)
            control_plan: CP-1
            tools:
              - name: \(id)
            \(indented(indented(tool)))
            limits:
              fail_at: 1.0
              uncertain_at: 0.9
            reaction:
            \(indented(reaction))
              reject_uncertain: true

            """
        let path = "\(folder)/\(id).yaml"
        try write(Array(text.utf8), to: path)
        return (path, try Recipe.load(path: path))
    }

    private static func indented(_ text: String) -> String {
        text.split(separator: "\n").map { "  \($0)" }.joined(separator: "\n")
    }

    /// Links the images into one folder, so that the station sees exactly these.
    private static func stage(_ images: [(name: String, path: String)], in folder: String) throws -> String {
        for (name, path) in images {
            let link = URL(fileURLWithPath: "\(folder)/\(name)")
            try FileManager.default.createDirectory(
                at: link.deletingLastPathComponent(),
                withIntermediateDirectories: true
            )
            try FileManager.default.createSymbolicLink(
                at: link,
                withDestinationURL: URL(fileURLWithPath: path).standardizedFileURL
            )
        }
        return folder
    }

    private static func write(_ bytes: [UInt8], to path: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path), options: .atomic)
    }

    private static func isFolder(_ path: String) -> Bool {
        var isDirectory: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory.boolValue
    }
}
