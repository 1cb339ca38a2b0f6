// The conformances of every topic's record: one line per topic, one switch line per kind.

extension FrameRecord: TopicRecord {}

extension FrameRecord.Event: TopicEvent {
    package static func takeover(_ event: WriterTookOver) -> Self { Self(.writerTookOver(event)) }

    package var kindName: String {
        switch kind {
        case .writerTookOver: "writer_took_over"
        case .triggerSessionStarted: "trigger_session_started"
        case .frameCaptured: "frame_captured"
        case .frameMissed: "frame_missed"
        case .evidenceStored: "evidence_stored"
        case .evidenceNotStored: "evidence_not_stored"
        case .sourceExhausted: "source_exhausted"
        case nil: "unknown"
        }
    }
}

extension InspectionRecord: TopicRecord {}

extension InspectionRecord.Event: TopicEvent {
    package static func takeover(_ event: WriterTookOver) -> Self { Self(.writerTookOver(event)) }

    package var kindName: String {
        switch kind {
        case .writerTookOver: "writer_took_over"
        case .contextAdopted: "context_adopted"
        case .recipeActivated: "recipe_activated"
        case .recipeRefused: "recipe_refused"
        case .partInspected: "part_inspected"
        case .inspectionMissed: "inspection_missed"
        case .rejectNotCommanded: "reject_not_commanded"
        case .holdPlaced: "hold_placed"
        case .sourceInspected: "source_inspected"
        case nil: "unknown"
        }
    }
}

extension ProductionRecord: TopicRecord {}

extension ProductionRecord.Event: TopicEvent {
    package static func takeover(_ event: WriterTookOver) -> Self { Self(.writerTookOver(event)) }

    package var kindName: String {
        switch kind {
        case .writerTookOver: "writer_took_over"
        case .peerMessageAdopted: "peer_message_adopted"
        case .shiftStarted: "shift_started"
        case .orderReleased: "order_released"
        case .orderStarted: "order_started"
        case .orderCompleted: "order_completed"
        case .changeoverStarted: "changeover_started"
        case .changeoverCompleted: "changeover_completed"
        case .batchClosed: "batch_closed"
        case .materialLotLoaded: "material_lot_loaded"
        case nil: "unknown"
        }
    }
}

extension MaterialRecord: TopicRecord {}

extension MaterialRecord.Event: TopicEvent {
    package static func takeover(_ event: WriterTookOver) -> Self { Self(.writerTookOver(event)) }

    package var kindName: String {
        switch kind {
        case .writerTookOver: "writer_took_over"
        case .peerMessageAdopted: "peer_message_adopted"
        case .materialLotReceived: "material_lot_received"
        case .shipmentDispatched: "shipment_dispatched"
        case nil: "unknown"
        }
    }
}

extension DeliveryRecord: TopicRecord {}

extension DeliveryRecord.Event: TopicEvent {
    package static func takeover(_ event: WriterTookOver) -> Self { Self(.writerTookOver(event)) }

    package var kindName: String {
        switch kind {
        case .writerTookOver: "writer_took_over"
        case .deliveryIntended: "delivery_intended"
        case .deliveryConfirmed: "delivery_confirmed"
        case .deliveryRefused: "delivery_refused"
        case .deliveryRedriven: "delivery_redriven"
        case .deliverySkipped: "delivery_skipped"
        case .peerLost: "peer_lost"
        case .peerRestored: "peer_restored"
        case .partsCounted: "parts_counted"
        case nil: "unknown"
        }
    }
}

extension AlarmRecord: TopicRecord {}

extension AlarmRecord.Event: TopicEvent {
    package static func takeover(_ event: WriterTookOver) -> Self { Self(.writerTookOver(event)) }

    package var kindName: String {
        switch kind {
        case .writerTookOver: "writer_took_over"
        case .alarmRaised: "alarm_raised"
        case .alarmReturnedToNormal: "alarm_returned_to_normal"
        case nil: "unknown"
        }
    }
}

extension ParkedRecord: TopicRecord {}

extension ParkedRecord.Event: TopicEvent {
    package static func takeover(_ event: WriterTookOver) -> Self { Self(.writerTookOver(event)) }

    package var kindName: String {
        switch kind {
        case .writerTookOver: "writer_took_over"
        case .recordParked: "record_parked"
        case nil: "unknown"
        }
    }
}
